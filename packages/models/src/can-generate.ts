import type { CausalModel } from './causal-model.js';
import type { PretrainedModel } from './pretrained-model.js';
import type { Seq2SeqModel } from './seq2seq-model.js';

/** Heads that say something else than the next token, by the ends of their architectures' names. */
const OTHER_HEADS = /For(MaskedLM|SequenceClassification|TokenClassification|QuestionAnswering|ImageClassification)$/;

/**
 * Whether a model says which token is next, so that `generate` takes it: tells apart what `fromPretrained` gives, as
 * `can_generate` of transformers does.
 *
 * @example
 * const model = await fromPretrained(folder);
 * if (canGenerate(model)) console.log(await generate(model, [tokenizer.encode('Once upon a time')]));
 */
export function canGenerate<M extends PretrainedModel>(model: M): model is Extract<M, CausalModel | Seq2SeqModel> {
  return !OTHER_HEADS.test(model.architecture);
}
