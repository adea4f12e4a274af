import { type Tokenizer, trainBpe } from '@burin/tokenizers';
import type { Example } from '@burin/trainer';
import type { Pair } from '../shared-files.js';

const PAD = '<pad>';
const START = '<s>';
const END = '</s>';

/** What pieces of words the model knows, the same for both languages, and how sentences become ids. */
export class Vocabulary {
  readonly tokenizer: Tokenizer;
  readonly padTokenId: number;
  /** What the decoder begins with. */
  readonly startTokenId: number;
  readonly endTokenId: number;

  constructor(tokenizer: Tokenizer) {
    this.tokenizer = tokenizer;
    [this.padTokenId, this.startTokenId, this.endTokenId] = [PAD, START, END].map((token) => {
      const id = tokenizer.tokenToId(token);
      if (id === null) throw new RangeError(`Vocabulary: the tokenizer must have the token ${token}`);
      return id;
    }) as [number, number, number];
  }

  /** Learns byte pairs from sentences of both languages. */
  static learn(lines: readonly string[], vocabSize: number): Vocabulary {
    const special = { specialTokens: [PAD, START, END], padToken: PAD, eosToken: END };
    return new Vocabulary(trainBpe(lines, { vocabSize, ...special }));
  }

  get size(): number {
    return this.tokenizer.vocabSize;
  }

  /** A sentence's ids and the end token: what the encoder reads, and what the decoder is to say. */
  encode(sentence: string): number[] {
    return [...this.tokenizer.encode(sentence), this.endTokenId];
  }

  decode(ids: readonly number[]): string {
    return this.tokenizer.decode(ids).trim();
  }

  exampleOf({ source, target }: Pair): Example {
    return { inputIds: this.encode(source), labels: this.encode(target) };
  }
}
