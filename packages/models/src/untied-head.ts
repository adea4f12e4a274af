import { Embedding, type Module, stateTargets } from '@burin/nn';
import type { RawConfig } from './config-reader.js';

/** Names of the heads that read an embedding table backwards. */
const HEADS: readonly string[] = [
  ...['lm_head.weight', 'embed_out.weight', 'vocab_projector.weight', 'decoder.weight'],
  ...['cls.predictions.decoder.weight', 'lm_head.decoder.weight'],
];

/** What a configuration says of a tied head. */
interface TiedConfig {
  readonly tieWordEmbeddings?: boolean;
  readonly scaleDecoderOutputs?: boolean;
}

/**
 * config.json as it is true of a model: one whose head was tied to its embeddings, and has a weight of its own since an
 * adapter was merged into it or it was trained as a copy, is tied no more. Who reads the folder would pass the head over.
 */
export function configOfTies(model: Module & { readonly config?: TiedConfig }, raw: RawConfig): RawConfig {
  if (!model.config?.tieWordEmbeddings) return raw;
  const targets = stateTargets(model);
  const head = HEADS.map((name) => targets.get(name)).find((weight) => weight !== undefined);
  const tables = [...model.namedModules()].filter(([, module]) => module instanceof Embedding);
  if (head === undefined || tables.some(([, module]) => (module as Embedding).weight === head)) return raw;
  const { scaleDecoderOutputs: scaled } = model.config; // by default as it is tied
  return { ...raw, tie_word_embeddings: false, ...(scaled !== undefined && { scale_decoder_outputs: scaled }) };
}
