import {
  accuracy,
  binaryScores,
  classificationScores,
  corpusBleu,
  exactMatch,
  normalizeAnswer,
  perplexity,
  predictedClasses,
  tokenize13a,
} from '@burin/trainer';
import { type Case, Unsupported } from '../case.js';
import type { Outcome } from '../outcome.js';
import type { Settings } from '../settings.js';

/** Scores of predictions, told apart by the tensors or texts that they are computed of. */
export async function metrics(c: Case): Promise<Outcome> {
  if (c.has('binary.labels')) return { values: classification(c) };
  if (c.has('logits')) return { values: await surprise(c) };
  if (c.config.has('pairs')) return { values: answers(c) };
  if (c.config.has('cases')) return { values: translations(c) };
  throw new Unsupported('metrics of something else than classes, logits and texts');
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

function answers(c: Case): Record<string, unknown> {
  const pairs = c.config.tables('pairs');
  const predictions = pairs.map((pair) => pair.text('prediction'));
  const references = pairs.map((pair) => pair.text('reference'));
  const scores = exactMatch(predictions, references);
  return {
    normalized_predictions: predictions.map(normalizeAnswer),
    normalized_references: references.map(normalizeAnswer),
    exact: scores.exact.map(Number),
    token_f1: scores.wordF1,
    exact_match_percent: 100 * scores.exactMatch,
    f1_percent: 100 * scores.f1,
  };
}

function translations(c: Case): Record<string, unknown> {
  return Object.fromEntries(c.config.tables('cases').map((one) => [one.text('name'), bleu(one)]));
}

function bleu(one: Settings): Record<string, unknown> {
  const hypotheses = one.texts('hypotheses');
  const streams = one.textLists('references'); // the k-th references of all texts
  const references = hypotheses.map((_, i) => streams.map((stream) => stream[i]!));
  const scores = corpusBleu(hypotheses, references);
  return {
    score: scores.score,
    precisions: scores.precisions,
    brevity_penalty: scores.brevityPenalty,
    matches: scores.matches,
    totals: scores.totals,
    hypothesis_length: scores.hypothesisLength,
    reference_length: scores.referenceLength,
    score_no_smoothing: corpusBleu(hypotheses, references, { smoothing: 'none' }).score,
    tokenized_hypotheses: hypotheses.map(tokenize13a),
  };
}
