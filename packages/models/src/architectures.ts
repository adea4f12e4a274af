import { BartForConditionalGeneration } from './bart-for-conditional-generation.js';
import { BartForQuestionAnswering } from './bart-for-question-answering.js';
import { BartForSequenceClassification } from './bart-for-sequence-classification.js';
import { BertForMaskedLM } from './bert-for-masked-lm.js';
import { BertForQuestionAnswering } from './bert-for-question-answering.js';
import { BertForSequenceClassification } from './bert-for-sequence-classification.js';
import { BertForTokenClassification } from './bert-for-token-classification.js';
import { DeepseekV2ForCausalLM } from './deepseek-for-causal-lm.js';
import { DeepseekV2ForSequenceClassification } from './deepseek-for-sequence-classification.js';
import { DistilBertForMaskedLM } from './distilbert-for-masked-lm.js';
import { DistilBertForQuestionAnswering } from './distilbert-for-question-answering.js';
import { DistilBertForSequenceClassification } from './distilbert-for-sequence-classification.js';
import { DistilBertForTokenClassification } from './distilbert-for-token-classification.js';
import { architectureOf, architecturesOf } from './family.js';
import { GPTNeoForCausalLM } from './gpt-neo-for-causal-lm.js';
import { GPTNeoForQuestionAnswering } from './gpt-neo-for-question-answering.js';
import { GPTNeoForSequenceClassification } from './gpt-neo-for-sequence-classification.js';
import { GPTNeoForTokenClassification } from './gpt-neo-for-token-classification.js';
import { GPTNeoXForCausalLM } from './gpt-neox-for-causal-lm.js';
import { GPTNeoXForQuestionAnswering } from './gpt-neox-for-question-answering.js';
import { GPTNeoXForSequenceClassification } from './gpt-neox-for-sequence-classification.js';
import { GPTNeoXForTokenClassification } from './gpt-neox-for-token-classification.js';
import { GPT2ForQuestionAnswering } from './gpt2-for-question-answering.js';
import { GPT2ForSequenceClassification } from './gpt2-for-sequence-classification.js';
import { GPT2ForTokenClassification } from './gpt2-for-token-classification.js';
import { GPT2LMHeadModel } from './gpt2-lm-head-model.js';
import { causalArchitectures } from './llama-for-causal-lm.js';
import { LlamaForQuestionAnswering } from './llama-for-question-answering.js';
import { sequenceClassificationArchitectures } from './llama-for-sequence-classification.js';
import { LlamaForTokenClassification } from './llama-for-token-classification.js';
import { ModernBertForMaskedLM } from './modernbert-for-masked-lm.js';
import { ModernBertForQuestionAnswering } from './modernbert-for-question-answering.js';
import { ModernBertForSequenceClassification } from './modernbert-for-sequence-classification.js';
import { ModernBertForTokenClassification } from './modernbert-for-token-classification.js';
import { Phi3ForCausalLM } from './phi3-for-causal-lm.js';
import { Phi3ForSequenceClassification } from './phi3-for-sequence-classification.js';
import { Phi3ForTokenClassification } from './phi3-for-token-classification.js';
import { RobertaForMaskedLM } from './roberta-for-masked-lm.js';
import { RobertaForQuestionAnswering } from './roberta-for-question-answering.js';
import { RobertaForSequenceClassification } from './roberta-for-sequence-classification.js';
import { RobertaForTokenClassification } from './roberta-for-token-classification.js';
import { T5ForConditionalGeneration } from './t5-for-conditional-generation.js';
import { T5ForSequenceClassification } from './t5-for-sequence-classification.js';
import { T5ForTokenClassification } from './t5-for-token-classification.js';
import { Transformer } from './transformer.js';
import { ViTForImageClassification } from './vit-for-image-classification.js';

/** Every class of models of this package. A function, so that who imports one class is not given them all. */
export function architectures() {
  return [
    ...causalArchitectures(),
    ...sequenceClassificationArchitectures(),
    ...architecturesOf(LlamaForTokenClassification),
    ...architecturesOf(LlamaForQuestionAnswering),
    architectureOf(BertForMaskedLM),
    architectureOf(BertForSequenceClassification),
    architectureOf(BertForTokenClassification),
    architectureOf(BertForQuestionAnswering),
    architectureOf(RobertaForMaskedLM),
    architectureOf(RobertaForSequenceClassification),
    architectureOf(RobertaForTokenClassification),
    architectureOf(RobertaForQuestionAnswering),
    architectureOf(DistilBertForMaskedLM),
    architectureOf(DistilBertForSequenceClassification),
    architectureOf(DistilBertForTokenClassification),
    architectureOf(DistilBertForQuestionAnswering),
    architectureOf(GPT2ForSequenceClassification),
    architectureOf(GPT2LMHeadModel),
    architectureOf(T5ForConditionalGeneration),
    architectureOf(BartForConditionalGeneration),
    architectureOf(ViTForImageClassification),
    architectureOf(GPTNeoXForCausalLM),
    architectureOf(Phi3ForCausalLM),
    architectureOf(GPTNeoForCausalLM),
    architectureOf(ModernBertForMaskedLM),
    architectureOf(ModernBertForSequenceClassification),
    architectureOf(ModernBertForTokenClassification),
    architectureOf(ModernBertForQuestionAnswering),
    architectureOf(DeepseekV2ForCausalLM),
    architectureOf(GPT2ForTokenClassification),
    architectureOf(GPT2ForQuestionAnswering),
    architectureOf(GPTNeoForSequenceClassification),
    architectureOf(GPTNeoForTokenClassification),
    architectureOf(GPTNeoForQuestionAnswering),
    architectureOf(GPTNeoXForSequenceClassification),
    architectureOf(GPTNeoXForTokenClassification),
    architectureOf(GPTNeoXForQuestionAnswering),
    architectureOf(Phi3ForSequenceClassification),
    architectureOf(Phi3ForTokenClassification),
    architectureOf(DeepseekV2ForSequenceClassification),
    architectureOf(T5ForSequenceClassification),
    architectureOf(T5ForTokenClassification),
    architectureOf(BartForSequenceClassification),
    architectureOf(BartForQuestionAnswering),
    architectureOf(Transformer),
  ] as const;
}
