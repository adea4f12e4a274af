import { DynamicCache, type KeyValueCache } from '@burin/attention';
import { cat, keep, noGrad, scope, type Tensor } from '@burin/tensor';
import type { CausalInput } from './causal-model.js';
import type { SelectableModel } from './decoding.js';
import { tokenBatch } from './model-input.js';
import type { Seq2SeqModel } from './seq2seq-model.js';

/** A decoder that attends to one batch of sources: generation sees it as a decoder alone. The encoder runs once. */
export class ConditionedDecoder implements SelectableModel {
  private readonly model: Seq2SeqModel;
  private memory: Tensor; // [B, S, C]
  private memoryMask: Tensor; // [B, S]
  private readonly memoryCache: readonly KeyValueCache[];
  private sources: readonly number[]; // of each row

  constructor(model: Seq2SeqModel, sources: readonly (readonly number[])[]) {
    const { sourceVocabSize: vocabSize = model.config.vocabSize, padTokenId, numHiddenLayers } = model.config;
    const { memory, memoryMask } = noGrad(() =>
      scope(() => {
        const { inputIds, attentionMask } = tokenBatch(sources, { vocabSize, padTokenId });
        return { memory: model.encode({ inputIds, attentionMask }).states, memoryMask: attentionMask };
      }),
    );
    this.model = model;
    this.memory = keep(memory);
    this.memoryMask = keep(memoryMask);
    const capacity = memory.shape[1]!;
    this.memoryCache = Array.from({ length: numHiddenLayers }, () => new DynamicCache({ capacity }));
    this.sources = [...sources.keys()];
  }

  get config() {
    return this.model.config;
  }

  forward(input: CausalInput): { logits: Tensor } {
    const { memory, memoryMask } = this;
    const memoryCache = input.cache ? this.memoryCache : null;
    return this.model.decode({ ...input, memory, memoryMask, memoryCache });
  }

  /** Rows of one source that change places need nothing. */
  select(order: readonly number[]): void {
    const sources = order.map((row) => this.sources[row]!);
    if (`${sources}` === `${this.sources}`) return;
    const pick = (x: Tensor) => {
      const rows = noGrad(() =>
        scope(() =>
          cat(
            order.map((row) => x.narrow(0, row, 1)),
            0,
          ),
        ),
      );
      x.dispose();
      return keep(rows);
    };
    this.memory = pick(this.memory);
    this.memoryMask = pick(this.memoryMask);
    for (const cache of this.memoryCache) if (cache.length > 0) cache.reorder(order);
    this.sources = sources;
  }

  dispose(): void {
    this.memory.dispose();
    this.memoryMask.dispose();
    for (const cache of this.memoryCache) cache.dispose();
  }
}
