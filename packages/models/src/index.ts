export { type AnyModel, fromPretrained } from './auto.js';
export { type BertConfig, bertConfig } from './bert-config.js';
export { BertForMaskedLM, BertForSequenceClassification, type BertOptions } from './bert-heads.js';
export { type BertInput, BertModel } from './bert-model.js';
export { ByteTokenizer } from './byte-tokenizer.js';
export { ConfigError, type RawConfig } from './config-reader.js';
export { type GenerateOptions, generate, processorsOf } from './generation.js';
export { type LlamaConfig, llamaConfig } from './llama-config.js';
export { LlamaForCausalLM, type LlamaOptions } from './llama-for-causal-lm.js';
export { LlamaForSequenceClassification } from './llama-for-sequence-classification.js';
export { LlamaDecoderLayer, LlamaModel } from './llama-model.js';
export {
  drawToken,
  type LogitsProcessor,
  likeliestToken,
  repetitionPenalty,
  softmaxRow,
  temperature,
  topK,
  topP,
} from './logits-processors.js';
export {
  type LossInput,
  labelTensor,
  type ModelInput,
  type ModelOutput,
  type Positions,
  positionsFrom,
  type TokenBatch,
  type TokenBatchOptions,
  tokenBatch,
} from './model-input.js';
export { type LoadOptions, loadPretrained, PretrainedModel, type SaveOptions, savePretrained } from './pretrained.js';
export { type TextTokenizer, Tokenizer } from './tokenizer.js';
export { blankWeights, randomWeights, type Weights } from './weights.js';
