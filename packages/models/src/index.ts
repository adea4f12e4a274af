export { ByteTokenizer, type TextTokenizer, Tokenizer } from '@burin/tokenizers';
export { type AnyModel, fromPretrained } from './auto.js';
export { type BartConfig, type BartOptions, type BartStackConfig, bartConfig } from './bart-config.js';
export { BartForConditionalGeneration } from './bart-for-conditional-generation.js';
export { BartForQuestionAnswering } from './bart-for-question-answering.js';
export { BartForSequenceClassification } from './bart-for-sequence-classification.js';
export { type BertConfig, type BertModelType, type BertOptions, bertConfig } from './bert-config.js';
export { BertForMaskedLM } from './bert-for-masked-lm.js';
export { BertForQuestionAnswering } from './bert-for-question-answering.js';
export { BertForSequenceClassification } from './bert-for-sequence-classification.js';
export { BertForTokenClassification } from './bert-for-token-classification.js';
export { BertModel } from './bert-model.js';
export type { BertInput } from './bert-parts.js';
export { canGenerate } from './can-generate.js';
export type { CausalInput, CausalModel, NextTokenModel } from './causal-model.js';
export { ConfigError, type RawConfig } from './config-reader.js';
export { type DeepseekV2Config, type DeepseekV2Options, deepseekV2Config } from './deepseek-config.js';
export { DeepseekV2ForCausalLM } from './deepseek-for-causal-lm.js';
export { DeepseekV2ForSequenceClassification } from './deepseek-for-sequence-classification.js';
export { DeepseekV2Model } from './deepseek-model.js';
export { type DistilBertConfig, type DistilBertOptions, distilBertConfig } from './distilbert-config.js';
export { DistilBertForMaskedLM } from './distilbert-for-masked-lm.js';
export { DistilBertForQuestionAnswering } from './distilbert-for-question-answering.js';
export { DistilBertForSequenceClassification } from './distilbert-for-sequence-classification.js';
export { DistilBertForTokenClassification } from './distilbert-for-token-classification.js';
export { type DistilBertInput, DistilBertModel } from './distilbert-model.js';
export { drawToken, likeliestToken, softmaxRow } from './draw-token.js';
export { estimateMemory, type MemoryEstimate, type MemoryEstimateOptions } from './estimate-memory.js';
export {
  architectureOf,
  type Family,
  type FamilyClass,
  type FamilyConfig,
  FamilyModel,
  type ModelParts,
} from './family.js';
export { generateFromEncoder } from './generate-from-encoder.js';
export type {
  AbortSignalLike,
  CacheKind,
  GenerateOptions,
  ProcessorOptions,
  TokenDecoder,
} from './generate-options.js';
export type { FinishReason } from './generated-row.js';
export { generate, generateStream, type StreamedToken } from './generation.js';
export { type GPTNeoAttentionType, type GPTNeoConfig, type GPTNeoOptions, gptNeoConfig } from './gpt-neo-config.js';
export { GPTNeoForCausalLM } from './gpt-neo-for-causal-lm.js';
export { GPTNeoForQuestionAnswering } from './gpt-neo-for-question-answering.js';
export { GPTNeoForSequenceClassification } from './gpt-neo-for-sequence-classification.js';
export { GPTNeoForTokenClassification } from './gpt-neo-for-token-classification.js';
export { GPTNeoModel } from './gpt-neo-model.js';
export { type GPTNeoXConfig, type GPTNeoXOptions, gptNeoXConfig } from './gpt-neox-config.js';
export { GPTNeoXForCausalLM } from './gpt-neox-for-causal-lm.js';
export { GPTNeoXForQuestionAnswering } from './gpt-neox-for-question-answering.js';
export { GPTNeoXForSequenceClassification } from './gpt-neox-for-sequence-classification.js';
export { GPTNeoXForTokenClassification } from './gpt-neox-for-token-classification.js';
export { GPTNeoXModel } from './gpt-neox-model.js';
export { type Gpt2Config, type Gpt2Options, gpt2Config } from './gpt2-config.js';
export { GPT2ForQuestionAnswering } from './gpt2-for-question-answering.js';
export { GPT2ForSequenceClassification } from './gpt2-for-sequence-classification.js';
export { GPT2ForTokenClassification } from './gpt2-for-token-classification.js';
export { GPT2LMHeadModel } from './gpt2-lm-head-model.js';
export { GPT2Model } from './gpt2-model.js';
export type { LayerConversion } from './layer-conversion.js';
export { type LlamaConfig, type LlamaModelType, llamaConfig } from './llama-config.js';
export { LlamaForCausalLM, type LlamaOptions } from './llama-for-causal-lm.js';
export { LlamaForQuestionAnswering } from './llama-for-question-answering.js';
export { LlamaForSequenceClassification } from './llama-for-sequence-classification.js';
export { LlamaForTokenClassification } from './llama-for-token-classification.js';
export { LlamaDecoderLayer, LlamaModel } from './llama-model.js';
export { type LoadOptions, loadPretrained } from './load-pretrained.js';
export { type LogitsProcessor, type RowProgress, repetitionPenalty } from './logits-processors.js';
export { minP, temperature, topK, topP } from './logits-warpers.js';
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
export {
  type ModernBertAttentionType,
  type ModernBertConfig,
  type ModernBertOptions,
  modernBertConfig,
} from './modernbert-config.js';
export { ModernBertForMaskedLM } from './modernbert-for-masked-lm.js';
export { ModernBertForQuestionAnswering } from './modernbert-for-question-answering.js';
export { ModernBertForSequenceClassification } from './modernbert-for-sequence-classification.js';
export { ModernBertForTokenClassification } from './modernbert-for-token-classification.js';
export type { ModernBertInput } from './modernbert-layer.js';
export { ModernBertModel } from './modernbert-model.js';
export { type Phi3Config, type Phi3Options, phi3Config } from './phi3-config.js';
export { Phi3ForCausalLM } from './phi3-for-causal-lm.js';
export { Phi3ForSequenceClassification } from './phi3-for-sequence-classification.js';
export { Phi3ForTokenClassification } from './phi3-for-token-classification.js';
export { Phi3Model } from './phi3-model.js';
export { type Pooling, type PoolOptions, poolStates } from './pool-states.js';
export { type Architecture, PretrainedModel } from './pretrained-model.js';
export { processorsOf } from './processors-of.js';
export { RobertaForMaskedLM } from './roberta-for-masked-lm.js';
export { RobertaForQuestionAnswering } from './roberta-for-question-answering.js';
export { RobertaForSequenceClassification } from './roberta-for-sequence-classification.js';
export { RobertaForTokenClassification } from './roberta-for-token-classification.js';
export { type SaveOptions, savePretrained } from './save-pretrained.js';
export type { DecoderInput, EncoderInput, Seq2SeqInput, Seq2SeqModel, Seq2SeqOutput } from './seq2seq-model.js';
export type { Seq2SeqTextInput } from './seq2seq-text.js';
export type { SpanInput, SpanOutput } from './span-output.js';
export { type T5Config, type T5Options, t5Config } from './t5-config.js';
export { T5ForConditionalGeneration } from './t5-for-conditional-generation.js';
export { T5ForSequenceClassification } from './t5-for-sequence-classification.js';
export { T5ForTokenClassification } from './t5-for-token-classification.js';
export { Transformer } from './transformer.js';
export { type TransformerConfig, type TransformerOptions, transformerConfig } from './transformer-config.js';
export { type ViTConfig, type ViTOptions, vitConfig } from './vit-config.js';
export { ViTForImageClassification } from './vit-for-image-classification.js';
export { type ViTInput, ViTModel } from './vit-model.js';
export { blankWeights, randomWeights, type Weights } from './weights.js';
