import type { Schedule } from '@burin/optim-paged';
import { checkOptions, type Device } from '@burin/tensor';
import { resolveArguments, type TrainingArguments, type TrainingOptions } from './arguments.js';
import type { TrainerCallback } from './callbacks.js';
import { causalLmCollator, classificationCollator } from './data/collators.js';
import { type Dataset, type Example, exampleAt } from './data/example.js';
import type { Collator } from './data/host-batch.js';
import { withinVocabulary } from './data/vocabulary.js';
import { DataError } from './errors.js';
import { type ComputeMetrics, evaluateModel, type Metrics } from './evaluation.js';
import type { NamedGenerators } from './generators.js';
import type { MemoryReport } from './memory.js';
import { type TrainableModel, trainableParameters } from './model.js';
import type { TrainerOptimizer } from './optimizer.js';
import { createReporter, type Reporter, SILENT } from './terminal.js';
import { TrainingRun } from './training-run.js';

/** What is trained, on what, and how. */
export interface TrainerOptions<M extends TrainableModel, E = Example> {
  model: M;
  /** Left out: `TrainingArguments`' defaults. */
  args?: TrainingOptions;
  /** Needed by `train()`. */
  trainDataset?: Dataset<E>;
  /** What `evaluate()` uses, and the evaluations of a run. */
  evalDataset?: Dataset<E>;
  /** Default: `classificationCollator` where the first example has one label, else `causalLmCollator`. */
  collator?: Collator<E>;
  /** Default: AdamW of `@burin/optim-paged` with the arguments' settings. One that is given stays the caller's. */
  optimizer?: TrainerOptimizer;
  /** The factor on the learning rate of each step, made for the run's number of steps. Default: as `lrSchedulerType` says. */
  schedule?: (totalSteps: number) => Schedule;
  /** Figures of one's own, besides accuracy and F1 or perplexity. */
  computeMetrics?: ComputeMetrics;
  callbacks?: readonly TrainerCallback[];
  /** Random generators whose place is kept in checkpoints, besides those that the model's modules hold in their fields. */
  generators?: NamedGenerators;
  /** Writes more files into each checkpoint's folder before it gets its name: a tokenizer, an adapter in PEFT's format. */
  saveExtra?: (folder: string) => Promise<void>;
  /** Default: a bar on a terminal, lines elsewhere; false: nothing. */
  reporter?: Reporter | false;
}

const OPTIONS: readonly (keyof TrainerOptions<TrainableModel>)[] = [
  'model',
  'args',
  'trainDataset',
  'evalDataset',
  'collator',
  'optimizer',
  'schedule',
  'computeMetrics',
  'callbacks',
  'generators',
  'saveExtra',
  'reporter',
];

/** What a run came to. */
export interface TrainResult {
  readonly globalStep: number;
  /** Mean loss of the run's steps. */
  readonly trainLoss: number;
  /** Of the last evaluation; null if there was none. */
  readonly metrics: Metrics | null;
  /** Path of the best checkpoint, where any was evaluated. */
  readonly bestCheckpoint: string | null;
  readonly memory: MemoryReport;
  /** Tokens trained on in a second of this process's part of the run, evaluations and checkpoints included; no padding. */
  readonly tokensPerSecond: number;
}

/**
 * Trains a model: any module whose `forward` takes a batch and returns `{ loss, logits }`. Arguments have the names of
 * Hugging Face's `TrainingArguments` in camelCase.
 *
 * @throws RangeError for options or arguments that are unknown, out of range or contradict each other, or a schedule besides
 *   arguments that say one
 * @throws DataError if a data set is empty
 * @example
 * const trainer = new Trainer({ model, trainDataset, evalDataset, args: { learningRate: 1e-3, numTrainEpochs: 1 } });
 * const { trainLoss, metrics } = await trainer.train();
 */
export class Trainer<M extends TrainableModel, E = Example> {
  readonly model: M;
  readonly args: TrainingArguments;
  readonly options: TrainerOptions<M, E>;
  readonly collator: Collator<E>;
  readonly reporter: Reporter;

  constructor(options: TrainerOptions<M, E>) {
    checkOptions('Trainer', options, OPTIONS);
    const { model, args, trainDataset, evalDataset, reporter } = options;
    this.args = resolveArguments(args);
    this.model = model;
    this.options = options;
    for (const [name, dataset] of Object.entries({ trainDataset, evalDataset })) {
      if (dataset && !(dataset.length > 0)) {
        throw new DataError(`Trainer: ${name} must have an example at least, got ${dataset.length}`);
      }
    }
    if (this.args.evalStrategy !== 'no' && !evalDataset) {
      throw new RangeError(`Trainer: evalStrategy '${this.args.evalStrategy}' needs data: pass evalDataset`);
    }
    for (const name of ['lrSchedulerType', 'warmupSteps', 'warmupRatio'] as const) {
      if (!options.schedule || args?.[name] === undefined) continue;
      throw new RangeError(`Trainer: schedule and ${name} both say how the learning rate goes; give one of them`);
    }
    this.collator = withinVocabulary(options.collator ?? defaultCollator<E>(trainDataset ?? evalDataset), model);
    this.reporter = reporter === false ? SILENT : (reporter ?? createReporter());
    if (this.args.gradientCheckpointing) switchOnCheckpointing(model);
  }

  /** Where the model is: on the device of its first parameter. */
  get device(): Device {
    const [first] = this.model.parameters();
    if (!first) throw new RangeError('Trainer: the model must have a parameter at least, got none');
    return first.device;
  }

  /**
   * Runs the training to its end.
   *
   * @throws DataError if there are no data, no label that counts, or an example is refused by the collator
   * @throws NotTrainedError if a trainable parameter gets no gradient, or a `lora_B` does not move
   * @throws NonFiniteError if a loss or gradient is not finite; weights and checkpoints are those of before the step
   * @throws MemoryError if the device's budget cannot hold the run, with the smallest change that would fit
   */
  async train(): Promise<TrainResult> {
    const { trainDataset } = this.options;
    if (!trainDataset) throw new DataError('Trainer: train() needs data: pass trainDataset');
    if (trainableParameters(this.model).length === 0) {
      throw new RangeError(
        'Trainer: a parameter at least must be trainable, got none; apply LoRA first, or set requiresGrad = true on some',
      );
    }
    const run = new TrainingRun(this, trainDataset);
    try {
      return await run.toEnd();
    } finally {
      run.dispose();
    }
  }

  /** Figures of the model on `dataset`, by default `evalDataset`. */
  async evaluate(dataset: Dataset<E> | undefined = this.options.evalDataset): Promise<Metrics> {
    if (!dataset) throw new DataError('Trainer: evaluate() needs data: pass evalDataset, or a data set');
    return evaluateModel(this.model, {
      dataset,
      collator: this.collator,
      batchSize: this.args.perDeviceEvalBatchSize,
      device: this.device,
      computeMetrics: this.options.computeMetrics,
    });
  }
}

function defaultCollator<E>(dataset: Dataset<E> | undefined): Collator<E> {
  const first = dataset && (exampleAt(dataset, 0) as Partial<Example>);
  const collator = typeof first?.labels === 'number' ? classificationCollator() : causalLmCollator();
  return collator as Collator<never> as Collator<E>;
}

function switchOnCheckpointing(model: TrainableModel): void {
  const holders = [...model.namedModules()].filter(([, module]) => 'gradientCheckpointing' in module);
  if (holders.length === 0) {
    throw new RangeError(
      'Trainer: gradientCheckpointing needs a model that has it (a field of that name), got one that has not; leave it out',
    );
  }
  for (const [, module] of holders) (module as { gradientCheckpointing?: boolean }).gradientCheckpointing = true;
}
