import { BartForConditionalGeneration } from './bart-for-conditional-generation.js';
import { BertForMaskedLM } from './bert-for-masked-lm.js';
import { BertForQuestionAnswering } from './bert-for-question-answering.js';
import { BertForSequenceClassification } from './bert-for-sequence-classification.js';
import { BertForTokenClassification } from './bert-for-token-classification.js';
import { DeepseekV2ForCausalLM } from './deepseek-for-causal-lm.js';
import { DistilBertForMaskedLM } from './distilbert-for-masked-lm.js';
import { DistilBertForQuestionAnswering } from './distilbert-for-question-answering.js';
import { DistilBertForSequenceClassification } from './distilbert-for-sequence-classification.js';
import { DistilBertForTokenClassification } from './distilbert-for-token-classification.js';
import { architectureOf } from './family.js';
import { GPTNeoForCausalLM } from './gpt-neo-for-causal-lm.js';
import { GPTNeoXForCausalLM } from './gpt-neox-for-causal-lm.js';
import { GPT2ForSequenceClassification } from './gpt2-for-sequence-classification.js';
import { GPT2LMHeadModel } from './gpt2-lm-head-model.js';
import { causalArchitectures } from './llama-for-causal-lm.js';
import { sequenceClassificationArchitectures } from './llama-for-sequence-classification.js';
import { ModernBertForMaskedLM } from './modernbert-for-masked-lm.js';
import { ModernBertForQuestionAnswering } from './modernbert-for-question-answering.js';
import { ModernBertForSequenceClassification } from './modernbert-for-sequence-classification.js';
import { ModernBertForTokenClassification } from './modernbert-for-token-classification.js';
import { Phi3ForCausalLM } from './phi3-for-causal-lm.js';
import { RobertaForMaskedLM } from './roberta-for-masked-lm.js';
import { RobertaForQuestionAnswering } from './roberta-for-question-answering.js';
import { RobertaForSequenceClassification } from './roberta-for-sequence-classification.js';
import { RobertaForTokenClassification } from './roberta-for-token-classification.js';
import { T5ForConditionalGeneration } from './t5-for-conditional-generation.js';
import { Transformer } from './transformer.js';
import { ViTForImageClassification } from './vit-for-image-classification.js';

/** Every class of models of this package. A function, so that who imports one class is not given them all. */
export function architectures() {
  return [
    ...causalArchitectures(),
    ...sequenceClassificationArchitectures(),
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
    architectureOf(Transformer),
  ] as const;
}
