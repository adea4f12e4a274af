import type { KeyValueCache } from '@burin/attention';
import { noGrad, scope, type Tensor, tensor } from '@burin/tensor';
import type { NextTokenModel } from './causal-model.js';
import { tokenBatch } from './model-input.js';

/** A model whose rows go on from something besides their tokens, such as a source, and that can change their places. */
export interface SelectableModel extends NextTokenModel {
  /** Row i becomes what row `order[i]` was. */
  select?(order: readonly number[]): void;
}

/** Rows of tokens as they grow, with what a model keeps for them. Rows may repeat, change places and be left out. */
export class Decoding {
  private rows: number[][];
  private padding: number[]; // of each row, on the left
  private readonly model: SelectableModel;
  private readonly caches: readonly KeyValueCache[] | null;
  private held = 0; // tokens in the caches
  private heldAsLong = false; // they were turned as those of a long text

  /** @param caches - one a layer; null: everything is computed again for each token. Disposed with this. */
  constructor(
    model: SelectableModel,
    prompts: readonly (readonly number[])[],
    caches: readonly KeyValueCache[] | null,
  ) {
    const longest = Math.max(...prompts.map((prompt) => prompt.length));
    this.model = model;
    this.rows = prompts.map((prompt) => [...prompt]);
    this.padding = prompts.map((prompt) => longest - prompt.length);
    this.caches = caches;
  }

  /** Logits of each row's next token. */
  async next(): Promise<Float32Array[]> {
    const logits = noGrad(() => scope(() => this.lastLogits()));
    const vocab = logits.shape[1]!;
    const reading = logits.data() as Promise<Float32Array>;
    logits.dispose();
    const data = await reading;
    return this.rows.map((_, r) => data.subarray(r * vocab, (r + 1) * vocab));
  }

  /** Adds one token to each row. */
  push(tokens: readonly number[]): void {
    for (const [r, token] of tokens.entries()) this.rows[r]!.push(token);
  }

  /** Row i becomes what row `order[i]` was, in the caches too: nothing is computed again. */
  select(order: readonly number[]): void {
    if (order.length === this.rows.length && order.every((from, to) => from === to)) return;
    this.rows = order.map((r) => [...this.rows[r]!]);
    this.padding = order.map((r) => this.padding[r]!);
    if (!this.caches) this.trim();
    for (const cache of this.caches ?? []) cache.reorder(order);
    this.model.select?.(order);
  }

  dispose(): void {
    for (const cache of this.caches ?? []) cache.dispose();
  }

  /** `[B, V]`. A model of one's own may give logits of more tokens than it was asked for. */
  private lastLogits(): Tensor {
    const logits = this.forward(); // [B, T, V]
    this.checkCaches();
    const last = logits.shape[1] === 1 ? logits : logits.narrow(1, -1, 1);
    return last.reshape([this.rows.length, -1]);
  }

  private forward(): Tensor {
    const isLong = this.isLong();
    if (isLong !== this.heldAsLong) this.forget();
    const { model, rows, caches, held } = this;
    const { vocabSize } = model.config;
    const length = rows[0]!.length + this.padding[0]!;
    this.held = length;
    this.heldAsLong = isLong;
    if (!caches || held === 0) {
      const batch = tokenBatch(rows, { vocabSize, paddingSide: 'left' });
      return model.forward({ ...batch, attentionMask: this.mask(length), cache: caches, logitsToKeep: 1 }).logits;
    }
    const column = (values: readonly number[]) => tensor(Int32Array.from(values), [rows.length, 1]);
    const positions = rows.map((row) => row.length - 1);
    return model.forward({
      inputIds: column(rows.map((row) => row.at(-1)!)),
      attentionMask: this.mask(length),
      positions: { ids: column(positions), max: Math.max(...positions) },
      cache: caches,
      logitsToKeep: 1,
    }).logits;
  }

  /** A model of one's own may pass over them, and would see nothing but the last token. */
  private checkCaches(): void {
    for (const [layer, { length }] of (this.caches ?? []).entries()) {
      if (length === this.held) continue;
      throw new RangeError(
        `generate: the model must add its tokens to the cache of each layer: expected ${this.held} in cache[${layer}], ` +
          `got ${length}; give it to the layer's attention, or pass useCache: false`,
      );
    }
  }

  /**
   * Whether the longest row is beyond the length from which on `longrope` turns all keys by other factors. (`dynamic`
   * turns them anew with each token, which no cache could follow.)
   */
  private isLong(): boolean {
    const { ropeScaling } = this.model.config;
    if (ropeScaling?.type !== 'longrope') return false;
    return this.rows.some((row) => row.length > ropeScaling.originalMaxPositionEmbeddings);
  }

  /** What the caches hold is computed again. */
  private forget(): void {
    for (const cache of this.caches ?? []) cache.reset();
    this.held = 0;
    this.trim();
  }

  /** Leaves out padding that all rows have: the longest may have gone. */
  private trim(): void {
    const spare = Math.min(...this.padding);
    this.padding = this.padding.map((count) => count - spare);
  }

  /** uint8 `[B, S]`, of all tokens, those in the caches too; null where no row is padded. */
  private mask(length: number): Tensor | null {
    if (this.padding.every((count) => count === 0)) return null;
    const mask = new Uint8Array(this.rows.length * length).fill(1);
    for (const [r, count] of this.padding.entries()) mask.fill(0, r * length, r * length + count);
    return tensor(mask, [this.rows.length, length]);
  }
}
