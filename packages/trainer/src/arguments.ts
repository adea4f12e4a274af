import type { ScheduleName } from '@burin/optim-paged';
import { checkArguments } from './argument-rules.js';

/** When something is done: never, every so many optimizer steps, or at the end of each epoch. */
export type IntervalStrategy = 'no' | 'steps' | 'epoch';

/** Options of a run, by the names of Hugging Face's `TrainingArguments` in camelCase. */
export interface TrainingArguments {
  /** Folder of the checkpoints. Needed where any are written. */
  outputDir: string;
  /** Times that the data are gone through; a fraction is allowed. Default 3. */
  numTrainEpochs: number;
  /** Optimizer steps of the whole run; overrides `numTrainEpochs` where greater than 0. Default −1. */
  maxSteps: number;
  /** Examples of one forward pass. Default 8. */
  perDeviceTrainBatchSize: number;
  /** Default 8. */
  perDeviceEvalBatchSize: number;
  /** Batches whose gradients make one optimizer step; exact whatever the batches' lengths. Default 1. */
  gradientAccumulationSteps: number;
  /** Default 5e-5. As those of Adam, a setting of the default optimizer: one that is passed in has its own. */
  learningRate: number;
  /** Default 0. Biases and the weights of norms are never decayed. */
  weightDecay: number;
  /** Default 0.9. */
  adamBeta1: number;
  /** Default 0.999. */
  adamBeta2: number;
  /** Default 1e-8. */
  adamEpsilon: number;
  /** Greatest norm of all gradients together; 0 switches clipping off. Default 1. */
  maxGradNorm: number;
  /** Default `linear`. */
  lrSchedulerType: ScheduleName;
  /** Steps over which the learning rate grows from 0. Default 0. */
  warmupSteps: number;
  /** The same as a share of all steps. Default 0. */
  warmupRatio: number;
  /** Default `steps`. */
  loggingStrategy: IntervalStrategy;
  /** Default 500, as Hugging Face's. */
  loggingSteps: number;
  /** Default `no`. */
  evalStrategy: IntervalStrategy;
  /** Default: `loggingSteps`. */
  evalSteps: number;
  /** Default `no`: Hugging Face's default writes every 500 steps. */
  saveStrategy: IntervalStrategy;
  /** Default 500. */
  saveSteps: number;
  /** Checkpoints to keep, 1 or more; the best one is kept besides. Default: all. */
  saveTotalLimit: number | null;
  /** After the last step, go back to the weights of the best checkpoint. Default false. */
  loadBestModelAtEnd: boolean;
  /** Name of an evaluation's figure, with or without `eval`. Default `loss`. */
  metricForBestModel: string;
  /** Default: false for a loss or perplexity, else true. */
  greaterIsBetter: boolean | null;
  /** Stop after so many evaluations without a better one; null: never. Apart from `loadBestModelAtEnd`. */
  earlyStoppingPatience: number | null;
  /** What a better one must be better by. Default 0. */
  earlyStoppingThreshold: number;
  /** Seed of the order of data. Default 42. */
  seed: number;
  /** Put examples of like length in one batch: less padding. Default false. */
  groupByLength: boolean;
  /** Share of each target spread over all classes, in [0, 1). The loss is then computed from the model's logits. */
  labelSmoothingFactor: number;
  /** Recompute activations in the backward pass, where the model has it. Default false. */
  gradientCheckpointing: boolean;
  /** A checkpoint's folder, or true for the last one in `outputDir`; the optimizer's settings are then its. Default false. */
  resumeFromCheckpoint: boolean | string;
}

/** What a caller gives: any of the arguments. */
export type TrainingOptions = { [Name in keyof TrainingArguments]?: TrainingArguments[Name] | undefined };

const DEFAULTS: Omit<TrainingArguments, 'evalSteps'> = {
  outputDir: '',
  numTrainEpochs: 3,
  maxSteps: -1,
  perDeviceTrainBatchSize: 8,
  perDeviceEvalBatchSize: 8,
  gradientAccumulationSteps: 1,
  learningRate: 5e-5,
  weightDecay: 0,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  maxGradNorm: 1,
  lrSchedulerType: 'linear',
  warmupSteps: 0,
  warmupRatio: 0,
  loggingStrategy: 'steps',
  loggingSteps: 500,
  evalStrategy: 'no',
  saveStrategy: 'no',
  saveSteps: 500,
  saveTotalLimit: null,
  loadBestModelAtEnd: false,
  metricForBestModel: 'loss',
  greaterIsBetter: null,
  earlyStoppingPatience: null,
  earlyStoppingThreshold: 0,
  seed: 42,
  groupByLength: false,
  labelSmoothingFactor: 0,
  gradientCheckpointing: false,
  resumeFromCheckpoint: false,
};

/**
 * Options with the defaults filled in.
 *
 * @throws RangeError for an unknown name (with the one that was probably meant), a value out of its range, or two options
 *   that contradict each other; the message names them and says what would do
 */
export function resolveArguments(options: TrainingOptions = {}): TrainingArguments {
  const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
  const evalSteps = (given.evalSteps ?? given.loggingSteps ?? DEFAULTS.loggingSteps) as number;
  const resolved = { ...DEFAULTS, ...given, evalSteps } as TrainingArguments;
  checkArguments(resolved, given);
  return resolved;
}
