import { applyLora } from '@burin/lora';
import { LlamaForCausalLM } from '@burin/models';
import { quantizeModel } from '@burin/quant-nf4';
import { Generator } from '@burin/tensor';

export const VOCABULARY = 4096;

/** The model of `train-step` and `decode`: 4.2 M parameters in its layers, 2.1 M in embedding and head. */
export const SMALL = { width: 256, hidden: 688, layers: 4, heads: 8 };

/** One whose weights exceed the caches: 100 M parameters in its layers. */
export const LARGE = { width: 1024, hidden: 2752, layers: 8, heads: 16 };

/** How weights are held and trained. */
export type Method = 'full' | 'lora' | 'qlora';

export function llama({ width, hidden, layers, heads }: typeof SMALL): LlamaForCausalLM {
  return LlamaForCausalLM.create(
    {
      vocabSize: VOCABULARY,
      hiddenSize: width,
      intermediateSize: hidden,
      numHiddenLayers: layers,
      numAttentionHeads: heads,
      tieWordEmbeddings: false,
      rmsNormEps: 1e-5,
    },
    { rng: new Generator(0) },
  );
}

/** Puts NF4, the head's too, and adapters on a model as the method asks; rank 8, alpha 16, on queries and values. */
export async function prepareMethod(model: LlamaForCausalLM, method: Method): Promise<void> {
  if (method === 'full') return;
  if (method === 'qlora') await quantizeModel(model, { doubleQuant: true, skipModules: [] });
  applyLora(model, { rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'], rng: new Generator(1) });
}

/** Token ids that look random, the same in every run. */
export function tokens(count: number): Int32Array {
  return Int32Array.from({ length: count }, (_, i) => (Math.imul(i + 1, 2654435761) >>> 8) % VOCABULARY);
}
