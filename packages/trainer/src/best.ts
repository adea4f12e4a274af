import type { TrainingArguments } from './arguments.js';
import { evalName, type Metrics } from './evaluation.js';
import type { TrainerState } from './state.js';

/** Whether a greater figure is the better one: said, or known from its name. */
function isGreaterBetter({ greaterIsBetter, metricForBestModel }: TrainingArguments): boolean {
  return greaterIsBetter ?? !/loss$|perplexity$/i.test(metricForBestModel);
}

/**
 * Notes an evaluation: the best figure so far, and how many evaluations ago it was.
 *
 * @returns whether patience is at an end
 * @throws RangeError if the evaluation has no figure of the name that the best is judged by
 */
export function noteEvaluation(state: TrainerState, metrics: Metrics, args: TrainingArguments): boolean {
  state.lastMetrics = metrics;
  state.lastEvaluatedStep = state.globalStep;
  const metric = metricOf(metrics, args);
  const better = isBetter(metric, state.bestMetric, args, args.earlyStoppingThreshold);
  if (isBetter(metric, state.bestMetric, args)) state.bestMetric = metric;
  state.evaluationsSinceBest = better ? 0 : state.evaluationsSinceBest + 1;
  return args.earlyStoppingPatience !== null && state.evaluationsSinceBest >= args.earlyStoppingPatience;
}

/** Makes the checkpoint that is about to be written the best, if the evaluation of this step says so. */
export function noteCheckpoint(state: TrainerState, name: string, args: TrainingArguments): void {
  if (state.lastMetrics === null || state.lastEvaluatedStep !== state.globalStep) return;
  const metric = metricOf(state.lastMetrics, args);
  if (isBetter(metric, state.bestCheckpoint?.metric ?? null, args)) state.bestCheckpoint = { name, metric };
}

/** Any figure is better than none, but one that is NaN or infinite is not: nothing would be better than it afterwards. */
function isBetter(metric: number, than: number | null, args: TrainingArguments, threshold = 0): boolean {
  if (than === null || !Number.isFinite(metric)) return Number.isFinite(metric);
  return isGreaterBetter(args) ? metric > than + threshold : metric < than - threshold;
}

function metricOf(metrics: Metrics, { metricForBestModel }: TrainingArguments): number {
  const metric = metrics[evalName(metricForBestModel)];
  if (metric !== undefined) return metric;
  throw new RangeError(
    `Trainer: metricForBestModel must be a figure of the evaluation: expected one of ${Object.keys(metrics).join(', ')}, ` +
      `got ${metricForBestModel}`,
  );
}
