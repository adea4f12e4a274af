import { logSoftmaxRow } from './draw-token.js';
import type { RowProgress } from './logits-processors.js';

/** A text that beam search follows. */
export interface Beam {
  readonly ids: readonly number[];
  /** Its log probability, as the processors have it. */
  readonly score: number;
  /** Which of the beams before this step it goes on from. */
  readonly parent: number;
}

/** What decides which texts win. */
export interface BeamRules {
  beams: number;
  lengthPenalty: number;
  earlyStopping: boolean | 'never';
  eosTokenIds: readonly number[];
  /** Whether a text ends, other than with an end token. */
  stops(ids: readonly number[], promptLength: number): boolean;
  /** Changes log probabilities before they are compared. */
  process(logProbabilities: Float32Array, row: { ids: readonly number[]; progress: RowProgress }): void;
}

interface Candidate {
  score: number;
  beam: number;
  token: number;
}

/**
 * Beam search for one prompt: the likeliest texts so far, and those that have ended, scored by
 * `log probability / new tokens ** lengthPenalty`. Step by step as in transformers: from the best
 * `max(2, 1 + end tokens) · beams` continuations, those among the first `beams` that end are finished, and the best that do
 * not end go on.
 */
export class BeamRow {
  /** Texts that go on, the likeliest first. */
  running: readonly Beam[];
  /** Texts that have ended, the best first; as many as beams. */
  readonly finished: { readonly ids: readonly number[]; readonly score: number }[] = [];
  private readonly progress: RowProgress;
  private readonly rules: BeamRules;
  private improvable = true;

  constructor(prompt: readonly number[], maxNewTokens: number, rules: BeamRules) {
    this.running = [{ ids: prompt, score: 0, parent: 0 }];
    this.progress = { promptLength: prompt.length, maxNewTokens };
    this.rules = rules;
  }

  /** Whether a step may still change what is finished. */
  get isOpen(): boolean {
    return this.improvable && this.running.length > 0;
  }

  /** One token further; `logits` of each running beam. */
  step(logits: readonly Float32Array[]): void {
    const { beams, eosTokenIds } = this.rules;
    const newTokens = this.running[0]!.ids.length - this.progress.promptLength + 1;
    const going: Beam[] = [];
    for (const [rank, { beam, token, score }] of this.candidates(logits).entries()) {
      const ids = [...this.running[beam]!.ids, token];
      const full = newTokens >= this.progress.maxNewTokens;
      const ends = full || eosTokenIds.includes(token) || this.rules.stops(ids, this.progress.promptLength);
      if (!ends && going.length < beams) going.push({ ids, score, parent: beam });
      if (ends && rank < beams) this.finish(ids, score / newTokens ** this.rules.lengthPenalty);
    }
    this.running = going;
    this.improvable = this.canImprove(newTokens);
  }

  /** The best continuations of all beams, the best first. */
  private candidates(logits: readonly Float32Array[]): Candidate[] {
    const { beams, eosTokenIds, process } = this.rules;
    const most = Math.max(2, 1 + eosTokenIds.length) * beams;
    const best: Candidate[] = [];
    for (const [beam, { ids, score: before }] of this.running.entries()) {
      const logProbabilities = logSoftmaxRow(logits[beam]!);
      process(logProbabilities, { ids, progress: this.progress });
      for (let token = 0; token < logProbabilities.length; token++) {
        const score = before + logProbabilities[token]!;
        if (score > -Infinity && (best.length < most || score > best.at(-1)!.score)) {
          insert(best, { score, beam, token }, most);
        }
      }
    }
    return best;
  }

  private finish(ids: readonly number[], score: number): void {
    insert(this.finished, { ids, score }, this.rules.beams);
  }

  /** Whether the likeliest text that goes on may get a better score than the worst one that has ended. */
  private canImprove(newTokens: number): boolean {
    const { beams, earlyStopping, lengthPenalty } = this.rules;
    if (this.finished.length < beams) return true;
    if (earlyStopping === true || this.running.length === 0) return false;
    const length = earlyStopping === 'never' && lengthPenalty > 0 ? this.progress.maxNewTokens : newTokens;
    return this.running[0]!.score / length ** lengthPenalty > this.finished.at(-1)!.score;
  }
}

/** Keeps the `most` best, the best first; of equals the one that came first. */
function insert<T extends { score: number }>(best: T[], item: T, most: number): void {
  let at = best.length;
  while (at > 0 && best[at - 1]!.score < item.score) at--;
  best.splice(at, 0, item);
  if (best.length > most) best.length = most;
}
