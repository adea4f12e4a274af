import { DynamicCache } from '@burin/attention';
import { noGrad, scope, type Tensor, tensor } from '@burin/tensor';
import type { NextTokenModel } from './causal-model.js';
import { tokenBatch } from './model-input.js';

/** The rows of one call of `generate` as they grow. */
export class Decoding {
  readonly rows: number[][]; // prompts and what was added
  readonly ended: boolean[];
  private readonly fed: number[][]; // what the model sees: a row that has ended goes on with 0, whose logits are not used
  private readonly model: NextTokenModel;
  private readonly cache: DynamicCache[] | null;

  constructor(model: NextTokenModel, prompts: readonly (readonly number[])[], maxNewTokens: number, useCache: boolean) {
    if (!Number.isInteger(maxNewTokens) || maxNewTokens < 0) {
      throw new RangeError(`generate: maxNewTokens must be a whole number of 0 or more, got ${maxNewTokens}`);
    }
    const longest = Math.max(0, ...prompts.map((prompt) => prompt.length));
    const limit = model.config.maxPositionEmbeddings;
    if (longest + maxNewTokens - 1 > limit) {
      // the last token is not read
      throw new RangeError(
        `generate: ${longest} tokens and ${maxNewTokens} more do not fit the model's ${limit} positions; ask for fewer`,
      );
    }
    this.model = model;
    this.rows = prompts.map((prompt) => [...prompt]);
    this.fed = prompts.map((prompt) => [...prompt]);
    this.ended = prompts.map(() => false);
    const capacity = Math.max(1, longest + maxNewTokens);
    const layers = model.config.numHiddenLayers;
    this.cache = useCache ? Array.from({ length: layers }, () => new DynamicCache({ capacity })) : null;
  }

  get finished(): boolean {
    return this.ended.every((ended) => ended);
  }

  /** Logits of each row's next token. */
  async nextLogits(): Promise<Float32Array[]> {
    const logits = noGrad(() => scope(() => this.forward().reshape([this.rows.length, -1])));
    const vocab = logits.shape[1]!;
    const reading = logits.data() as Promise<Float32Array>;
    logits.dispose();
    const data = await reading;
    return this.rows.map((_, r) => data.slice(r * vocab, (r + 1) * vocab));
  }

  private forward(): Tensor {
    const { cache, fed } = this;
    const { vocabSize } = this.model.config;
    const batch = tokenBatch(fed, { vocabSize, paddingSide: 'left' }); // the mask is of all tokens, cached ones too
    if (!cache || cache[0]!.length === 0) return this.model.forward({ ...batch, cache, logitsToKeep: 1 }).logits;
    const positions = fed.map((row) => row.length - 1);
    const column = (values: number[]) => tensor(Int32Array.from(values), [fed.length, 1]);
    return this.model.forward({
      inputIds: column(fed.map((row) => row.at(-1)!)),
      attentionMask: batch.attentionMask,
      positions: { ids: column(positions), max: Math.max(...positions) },
      cache,
      logitsToKeep: 1,
    }).logits;
  }

  append(tokens: readonly (number | null)[], eosTokenIds: readonly number[]): void {
    for (const [r, token] of tokens.entries()) {
      this.fed[r]!.push(token ?? 0);
      if (token === null) continue;
      this.rows[r]!.push(token);
      this.ended[r] = eosTokenIds.includes(token);
    }
  }

  dispose(): void {
    for (const cache of this.cache ?? []) cache.dispose();
  }
}
