import {
  type BertForMaskedLM,
  type BertForSequenceClassification,
  bertClassificationArchitectures,
  maskedLmArchitectures,
} from './bert-heads.js';
import { causalArchitectures, type LlamaForCausalLM } from './llama-for-causal-lm.js';
import {
  type LlamaForSequenceClassification,
  sequenceClassificationArchitectures,
} from './llama-for-sequence-classification.js';
import { type LoadOptions, loadPretrained } from './pretrained.js';

/** Any model of this package. */
export type AnyModel =
  | LlamaForCausalLM
  | LlamaForSequenceClassification
  | BertForMaskedLM
  | BertForSequenceClassification;

/**
 * Reads a Hugging Face folder as whatever config.json's `architectures` says.
 *
 * @throws ConfigError that lists the architectures that are known; see {@link loadPretrained}
 */
export function fromPretrained(folder: string, options?: LoadOptions): Promise<AnyModel> {
  return loadPretrained<AnyModel>(
    folder,
    [
      ...causalArchitectures,
      ...sequenceClassificationArchitectures,
      ...maskedLmArchitectures,
      ...bertClassificationArchitectures,
    ],
    options,
  );
}
