import { type BertForMaskedLM, maskedLmArchitectures } from './bert-for-masked-lm.js';
import {
  type BertForSequenceClassification,
  bertClassificationArchitectures,
} from './bert-for-sequence-classification.js';
import { causalArchitectures, type LlamaForCausalLM } from './llama-for-causal-lm.js';
import {
  type LlamaForSequenceClassification,
  sequenceClassificationArchitectures,
} from './llama-for-sequence-classification.js';
import { type LoadOptions, loadPretrained } from './load-pretrained.js';

/** Any model of this package. */
export type AnyModel =
  | LlamaForCausalLM
  | LlamaForSequenceClassification
  | BertForMaskedLM
  | BertForSequenceClassification;

/**
 * Reads a Hugging Face folder as whatever config.json's `architectures` says.
 *
 * @throws ConfigError that lists the architectures that are known; else see {@link loadPretrained}
 * @example
 * const model = await fromPretrained('models/bert-base');
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
