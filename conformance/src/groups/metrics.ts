import { accuracy, binaryScores, classificationScores, perplexity, predictedClasses } from '@burin/trainer';
import { type Case, Unsupported } from '../case.js';
import type { Outcome } from '../outcome.js';

/** Scores of predictions, told apart by the tensors that they are computed of. */
export async function metrics(c: Case): Promise<Outcome> {
  if (c.has('binary.labels')) return { values: classification(c) };
  if (c.has('logits')) return { values: await surprise(c) };
  throw new Unsupported('metrics of text');
}

function classification(c: Case): Record<string, unknown> {
  const ints = (name: string) => c.host(name).data;
  const binary = binaryScores(ints('binary.predictions'), ints('binary.labels'));
  const numClasses = c.config.number('n_classes');
  const multi = classificationScores(ints('multi.predictions'), ints('multi.labels'), { numClasses });
  const chosen = predictedClasses(c.host('multi.logits').data, numClasses);
  return {
    'binary.accuracy': binary.accuracy,
    'binary.precision': binary.precision,
    'binary.recall': binary.recall,
    'binary.f1': binary.f1,
    'multi.accuracy': multi.accuracy,
    'multi.f1_per_class': multi.perClass.map(({ f1 }) => f1),
    'multi.precision_per_class': multi.perClass.map(({ precision }) => precision),
    'multi.recall_per_class': multi.perClass.map(({ recall }) => recall),
    'multi.f1_macro': multi.f1Macro,
    'multi.f1_micro': multi.f1Micro,
    'multi.f1_weighted': multi.f1Weighted,
    'multi.accuracy_from_logits': accuracy(chosen, ints('multi.labels')),
  };
}

async function surprise(c: Case): Promise<Record<string, unknown>> {
  const scores = await perplexity(c.tensor('logits'), c.tensor('labels'), {
    ignoreIndex: c.config.number('ignore_index', -100),
  });
  return {
    mean_nll: scores.meanNll,
    perplexity: scores.perplexity,
    perplexity_per_sequence: scores.perSequence,
    n_tokens: scores.tokens,
  };
}
