import { type Device, noGrad, scope } from '@burin/tensor';
import type { Dataset } from './data/example.js';
import { type Collator, IGNORE_INDEX, isHostTensor } from './data/host-batch.js';
import { type CountedBatch, collate } from './data/windows.js';
import { DataError } from './errors.js';
import { accuracy, classificationScores } from './metrics/classification.js';
import { forward, type TrainableModel } from './model.js';

/** What `computeMetrics` is given: one entry for each label that counts, in the order of the data. */
export interface EvalPrediction {
  /** The most likely class or token. */
  readonly predictions: Int32Array;
  readonly labels: Int32Array;
  /** Of a classifier: rows of `numClasses`. Null for a language model, whose logits would fill the memory. */
  readonly logits: Float32Array | null;
  readonly numClasses: number;
}

/** Figures of an evaluation by name: `evalLoss`, `evalAccuracy`, ... */
export type Metrics = Readonly<Record<string, number>>;

/** Figures of one's own; `eval` is put before each name. */
export type ComputeMetrics = (prediction: EvalPrediction) => Metrics | Promise<Metrics>;

export interface EvaluationOptions<E> {
  readonly dataset: Dataset<E>;
  readonly collator: Collator<E>;
  readonly batchSize: number;
  readonly device: Device;
  readonly computeMetrics?: ComputeMetrics | undefined;
  readonly labelSmoothing?: number;
}

/**
 * Runs the model over a data set in evaluation mode, without recording gradients. The loss is the sum over all labels that
 * count, divided by their number. A classifier gets accuracy and F1, a language model accuracy of tokens and perplexity; where
 * labels are no classes, the loss is all.
 *
 * @throws DataError if there is no example, or no label that counts
 * @throws TypeError if there is no prediction to give to `computeMetrics`
 */
export async function evaluateModel<E>(model: TrainableModel, options: EvaluationOptions<E>): Promise<Metrics> {
  const { dataset, collator, batchSize } = options;
  if (!(dataset.length > 0))
    throw new DataError(`evaluate: the data set must have an example at least, got ${dataset.length}`);
  const sums = new Sums();
  const wasTraining = [...model.namedModules()].map(([, module]) => [module, module.training] as const);
  model.eval();
  try {
    for (let start = 0; start < dataset.length; start += batchSize) {
      const length = Math.min(batchSize, dataset.length - start);
      const indices = Array.from({ length }, (_, i) => start + i);
      const counted = collate(dataset, collator, indices);
      if (counted.trained > 0) sums.add(counted, await runBatch(model, counted, options));
    }
  } finally {
    for (const [module, training] of wasTraining) module.training = training;
  }
  return sums.metrics(options.computeMetrics);
}

interface BatchResult {
  readonly loss: number;
  readonly predictions: Int32Array | null;
  readonly logits: Float32Array | null;
  readonly numClasses: number;
}

async function runBatch<E>(
  model: TrainableModel,
  { batch }: CountedBatch,
  options: EvaluationOptions<E>,
): Promise<BatchResult> {
  const [loss, predictions, logits, numClasses] = scope(() =>
    noGrad(() => {
      const { loss, logits } = forward(model, batch, options.device, options.labelSmoothing);
      const { labels } = batch.inputs;
      const isClasses = isHostTensor(labels) && !(labels.data instanceof Float32Array);
      const fits = isClasses && `${logits?.shape.slice(0, -1)}` === `${labels.shape}`;
      const labelled = fits ? logits : null; // else accuracy means nothing
      return [
        loss.item(), // reads are enqueued before the scope frees what they read
        labelled?.argmax().data() ?? null,
        labelled?.shape.length === 2 ? labelled.data() : null,
        logits?.shape.at(-1) ?? 0,
      ] as const;
    }),
  );
  return {
    loss: await loss,
    predictions: (await predictions) as Int32Array | null,
    logits: (await logits) as Float32Array | null,
    numClasses,
  };
}

const NO_PREDICTIONS =
  'evaluate: computeMetrics needs predictions: expected logits [..., C] of the model beside labels [...] of whole numbers, ' +
  'got none; leave it out';

/** What is gathered over the batches. */
class Sums {
  private loss = 0;
  private trained = 0;
  private numClasses = 0;
  private isClassifier = false;
  private readonly predictions: number[] = [];
  private readonly labels: number[] = [];
  private readonly logits: Float32Array[] = [];

  add({ batch, trained }: CountedBatch, result: BatchResult): void {
    this.loss += result.loss * trained;
    this.trained += trained;
    this.numClasses = result.numClasses;
    const { labels } = batch.inputs;
    if (!result.predictions || !isHostTensor(labels)) return;
    this.isClassifier = result.logits !== null;
    const steps = labels.shape.length > 1 ? labels.shape.at(-1)! : 1;
    const shift = batch.labelShift ?? 0;
    for (let i = 0; i < labels.data.length; i++) {
      if (labels.data[i] === IGNORE_INDEX || (shift === 1 && i % steps === 0)) continue;
      this.labels.push(labels.data[i]!);
      this.predictions.push(result.predictions[i - shift]!);
      if (result.logits) this.logits.push(result.logits.slice(i * this.numClasses, (i + 1) * this.numClasses));
    }
  }

  async metrics(computeMetrics: ComputeMetrics | undefined): Promise<Metrics> {
    if (this.trained === 0) {
      throw new DataError('evaluate: a label at least must count: expected one that is not -100, got none');
    }
    const evalLoss = this.loss / this.trained;
    if (this.predictions.length === 0) {
      if (computeMetrics) throw new TypeError(NO_PREDICTIONS);
      return { evalLoss };
    }
    const prediction: EvalPrediction = {
      predictions: Int32Array.from(this.predictions),
      labels: Int32Array.from(this.labels),
      logits: this.isClassifier ? concatenate(this.logits) : null,
      numClasses: this.numClasses,
    };
    const own = computeMetrics ? await computeMetrics(prediction) : {};
    return {
      evalLoss,
      ...prefixed(this.isClassifier ? classMetrics(prediction) : tokenMetrics(prediction, evalLoss)),
      ...prefixed(own),
    };
  }
}

function classMetrics({ predictions, labels, numClasses }: EvalPrediction): Metrics {
  const { perClass, ...scores } = classificationScores(predictions, labels, { numClasses });
  return numClasses === 2 ? { ...scores, ...perClass[1] } : { ...scores };
}

function tokenMetrics({ predictions, labels }: EvalPrediction, loss: number): Metrics {
  return { accuracy: accuracy(predictions, labels), perplexity: Math.exp(loss) };
}

/** `accuracy` as `evalAccuracy`; a name that begins with `eval` is left. */
export function evalName(name: string): string {
  return /^eval[A-Z]/.test(name) ? name : `eval${name.charAt(0).toUpperCase()}${name.slice(1)}`;
}

function prefixed(metrics: Metrics): Metrics {
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [evalName(name), value]));
}

function concatenate(rows: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(rows.reduce((sum, row) => sum + row.length, 0));
  let at = 0;
  for (const row of rows) {
    all.set(row, at);
    at += row.length;
  }
  return all;
}
