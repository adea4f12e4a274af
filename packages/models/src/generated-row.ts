import type { TokenDecoder } from './generate-options.js';
import { IncrementalText } from './incremental-text.js';
import type { RowProgress } from './logits-processors.js';
import type { RowRandom } from './row-random.js';
import { StopStrings } from './stop-strings.js';

/** Why a row ended: an end token, a stop string, or no more room. */
export type FinishReason = 'eos' | 'stop' | 'length';

/** What a row is written as, and the strings that end it. */
export interface RowText {
  tokenizer: TokenDecoder;
  strings: readonly string[];
}

/** One row of a batch while it is generated. */
export class GeneratedRow {
  readonly ids: number[];
  readonly progress: RowProgress;
  readonly random: RowRandom | null;
  finishReason: FinishReason | null = null;
  /** The text that the last token completed; where text is asked for. */
  delta = '';
  private readonly text: IncrementalText | null;
  private readonly stops: StopStrings;

  constructor(prompt: readonly number[], maxNewTokens: number, text: RowText | null, random: RowRandom | null) {
    this.ids = [...prompt];
    this.progress = { promptLength: prompt.length, maxNewTokens };
    this.text = text && new IncrementalText(text.tokenizer, prompt);
    this.stops = new StopStrings(text?.strings ?? []);
    this.random = random;
    if (maxNewTokens === 0) this.finishReason = 'length';
  }

  /** Adds a token, an end token too. The text of an end token, and of a stop string, is not given out. */
  push(token: number, eosTokenIds: readonly number[]): void {
    this.ids.push(token);
    const ended = eosTokenIds.includes(token);
    this.delta = ended || !this.text ? '' : this.stops.push(this.text.push(token));
    const { promptLength, maxNewTokens } = this.progress;
    if (this.stops.stopped) this.finishReason = 'stop';
    else if (ended) this.finishReason = 'eos';
    else if (this.ids.length - promptLength === maxNewTokens) this.finishReason = 'length';
    if (this.finishReason && this.text) this.delta += this.rest(this.text);
  }

  private rest(text: IncrementalText): string {
    return this.stops.stopped ? '' : this.stops.push(text.flush()) + this.stops.flush();
  }
}
