import { maskedLmArchitectures } from './bert-for-masked-lm.js';
import { bertClassificationArchitectures } from './bert-for-sequence-classification.js';
import { architectureOf } from './family.js';
import { GPT2ForSequenceClassification } from './gpt2-for-sequence-classification.js';
import { GPT2LMHeadModel } from './gpt2-lm-head-model.js';
import { causalArchitectures } from './llama-for-causal-lm.js';
import { sequenceClassificationArchitectures } from './llama-for-sequence-classification.js';

/** Every class of models of this package. */
export const architectures = [
  ...causalArchitectures,
  ...sequenceClassificationArchitectures,
  ...maskedLmArchitectures,
  ...bertClassificationArchitectures,
  architectureOf(GPT2LMHeadModel),
  architectureOf(GPT2ForSequenceClassification),
] as const;
