import { type BartForConditionalGeneration, tokenBatch } from '@burin/models';
import { noGrad, scope } from '@burin/tensor';
import type { Pair } from '../shared-files.js';
import type { Alphabet } from './alphabet.js';

/** Logits at every place of the words and phonemes of `pairs`, in evaluation mode: what two models can be compared by. */
export async function logitsOf(
  model: BartForConditionalGeneration,
  alphabet: Alphabet,
  pairs: readonly Pair[],
): Promise<Float32Array> {
  const { vocabSize } = model.config;
  const logits = noGrad(() =>
    scope(() => {
      const source = tokenBatch(
        pairs.map((pair) => alphabet.encodeWord(pair.source)),
        { vocabSize },
      );
      const target = tokenBatch(
        pairs.map((pair) => alphabet.encodePhonemes(pair.target)),
        { vocabSize },
      );
      const { inputIds, attentionMask } = source;
      return model.eval().forward({ inputIds, attentionMask, decoderInputIds: target.inputIds }).logits;
    }),
  );
  const values = (await logits.data()) as Float32Array;
  logits.dispose();
  return values;
}

/** Whether two lists hold the same float32 numbers, to the bit. */
export function areSameBits(a: Float32Array, b: Float32Array): boolean {
  const bits = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);
  const [left, right] = [bits(a), bits(b)];
  return left.length === right.length && left.every((word, i) => word === right[i]);
}
