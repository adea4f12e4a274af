import { DynamicCache } from '@burin/attention';
import { noGrad, scope, type Tensor } from '@burin/tensor';
import type { CausalInput, NextTokenModel } from './causal-model.js';
import { continueRows, type GenerateOptions, inEvaluation } from './generation.js';
import { tokenBatch } from './model-input.js';
import type { Seq2SeqModel } from './seq2seq-model.js';

/**
 * What an encoder-decoder says to rows of source ids, greedily or by sampling. Rows of different lengths are padded on
 * the right inside; each is answered as it would be alone. The encoder runs once.
 *
 * @returns each row: the decoder's start token and what was added, the end token included
 * @throws RangeError if a row is empty, an id is not in the vocabulary, sampling has no `rng`, the model has no room, or
 *   logits are NaN
 * @example
 * const [ids] = await generateFromEncoder(model, [tokenizer.encode('translate English to German: Good morning')]);
 */
export async function generateFromEncoder(
  model: Seq2SeqModel,
  sources: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<number[][]> {
  if (sources.length === 0) return [];
  const { decoderStartTokenId, forcedBosTokenId } = model.config;
  const start = forcedBosTokenId === null ? [decoderStartTokenId] : [decoderStartTokenId, forcedBosTokenId];
  const { maxNewTokens = 20 } = options;
  return inEvaluation(model, async () => {
    const decoder = new ConditionedDecoder(model, sources);
    try {
      const rest = { ...options, maxNewTokens: maxNewTokens > 0 ? maxNewTokens + 1 - start.length : maxNewTokens };
      return await continueRows(
        decoder,
        sources.map(() => start),
        rest,
      );
    } finally {
      decoder.dispose();
    }
  });
}

/** A decoder that attends to one batch of sources: generation sees it as a decoder alone. */
class ConditionedDecoder implements NextTokenModel {
  private readonly model: Seq2SeqModel;
  private readonly memory: Tensor; // [B, S, C]
  private readonly memoryMask: Tensor; // [B, S]
  private readonly memoryCache: readonly DynamicCache[];

  constructor(model: Seq2SeqModel, sources: readonly (readonly number[])[]) {
    const { sourceVocabSize: vocabSize = model.config.vocabSize, padTokenId, numHiddenLayers } = model.config;
    const { memory, memoryMask } = noGrad(() =>
      scope(() => {
        const { inputIds, attentionMask } = tokenBatch(sources, { vocabSize, padTokenId });
        return { memory: model.encode({ inputIds, attentionMask }).states, memoryMask: attentionMask };
      }),
    );
    this.model = model;
    this.memory = memory;
    this.memoryMask = memoryMask;
    const capacity = memory.shape[1]!;
    this.memoryCache = Array.from({ length: numHiddenLayers }, () => new DynamicCache({ capacity }));
  }

  get config() {
    return this.model.config;
  }

  forward(input: CausalInput): { logits: Tensor } {
    const { memory, memoryMask } = this;
    const memoryCache = input.cache ? this.memoryCache : null;
    return this.model.decode({ ...input, memory, memoryMask, memoryCache });
  }

  dispose(): void {
    this.memory.dispose();
    this.memoryMask.dispose();
    for (const cache of this.memoryCache) cache.dispose();
  }
}
