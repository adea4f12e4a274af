import type { TrainingArguments } from './arguments.js';
import { nearestName } from './near-names.js';

type Given = Readonly<Record<string, unknown>>;

/** A rule on one argument: what is expected, in words, and whether a value is. */
type Rule = readonly [expected: string, holds: (value: unknown) => boolean];

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value);
const isCount = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 1;
const isIndex = (value: unknown) => Number.isSafeInteger(value) && (value as number) >= 0;

const COUNT: Rule = ['a whole number of 1 or more', isCount];
const INDEX: Rule = ['a whole number of 0 or more', isIndex];
const POSITIVE: Rule = ['a number greater than 0', (value) => isNumber(value) && value > 0];
const NOT_NEGATIVE: Rule = ['a number of 0 or more', (value) => isNumber(value) && value >= 0];
const SHARE: Rule = ['a number from 0 to less than 1', (value) => isNumber(value) && value >= 0 && value < 1];
const BOOLEAN: Rule = ['true or false', (value) => typeof value === 'boolean'];
const TEXT: Rule = ['a string', (value) => typeof value === 'string'];

function oneOf(...names: readonly string[]): Rule {
  return [names.map((name) => `'${name}'`).join(', '), (value) => names.includes(value as string)];
}

function orNull([expected, holds]: Rule): Rule {
  return [`${expected}, or null`, (value) => value === null || holds(value)];
}

const STRATEGY = oneOf('no', 'steps', 'epoch');

const RULES: Readonly<Record<keyof TrainingArguments, Rule>> = {
  outputDir: TEXT,
  numTrainEpochs: POSITIVE,
  maxSteps: ['a whole number of 1 or more, or -1', (value) => value === -1 || isCount(value)],
  perDeviceTrainBatchSize: COUNT,
  perDeviceEvalBatchSize: COUNT,
  gradientAccumulationSteps: COUNT,
  learningRate: NOT_NEGATIVE,
  weightDecay: NOT_NEGATIVE,
  adamBeta1: SHARE,
  adamBeta2: SHARE,
  adamEpsilon: NOT_NEGATIVE,
  maxGradNorm: NOT_NEGATIVE,
  lrSchedulerType: oneOf('linear', 'cosine', 'constant', 'constant_with_warmup'),
  warmupSteps: INDEX,
  warmupRatio: SHARE,
  loggingStrategy: STRATEGY,
  loggingSteps: COUNT,
  evalStrategy: STRATEGY,
  evalSteps: COUNT,
  saveStrategy: STRATEGY,
  saveSteps: COUNT,
  saveTotalLimit: orNull(COUNT),
  loadBestModelAtEnd: BOOLEAN,
  metricForBestModel: TEXT,
  greaterIsBetter: orNull(BOOLEAN),
  earlyStoppingPatience: orNull(COUNT),
  earlyStoppingThreshold: NOT_NEGATIVE,
  seed: INDEX,
  groupByLength: BOOLEAN,
  labelSmoothingFactor: SHARE,
  gradientCheckpointing: BOOLEAN,
  resumeFromCheckpoint: ['true, false or the path of a checkpoint', (value) => BOOLEAN[1](value) || TEXT[1](value)],
};

/** Checks names, then single values, then what does not go together. `given` is what the caller wrote. */
export function checkArguments(args: TrainingArguments, given: Given): void {
  const known = Object.keys(RULES);
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = nearestName(name, known);
    throw new RangeError(
      `TrainingArguments: there is no argument ${name}${near ? `; did you mean ${near}?` : `: expected one of ${known.join(', ')}`}`,
    );
  }
  for (const [name, [expected, holds]] of Object.entries(RULES)) {
    const value = args[name as keyof TrainingArguments];
    if (!holds(value))
      throw new RangeError(
        `TrainingArguments: ${name} must be ${expected}, got ${JSON.stringify(value) ?? String(value)}`,
      );
  }
  checkSchedule(args, given);
  checkLogging(args, given);
  checkFolders(args);
  checkBest(args, given);
}

function checkSchedule(args: TrainingArguments, given: Given): void {
  if (given.maxSteps !== undefined && args.maxSteps > 0 && given.numTrainEpochs !== undefined) {
    conflict('maxSteps and numTrainEpochs both say how long the run is', 'give one of them');
  }
  if (args.warmupSteps > 0 && args.warmupRatio > 0) {
    conflict('warmupSteps and warmupRatio both say how long the warmup is', 'give one of them');
  }
  if (args.lrSchedulerType === 'constant' && args.warmupSteps + args.warmupRatio > 0) {
    conflict("lrSchedulerType 'constant' has no warmup", "use 'constant_with_warmup', or leave the warmup out");
  }
}

/** `loggingSteps` is also what `evalSteps` is by default. */
function checkLogging({ loggingStrategy, evalStrategy }: TrainingArguments, given: Given): void {
  const isRead = loggingStrategy === 'steps' || (evalStrategy === 'steps' && given.evalSteps === undefined);
  if (isRead || given.loggingSteps === undefined) return;
  conflict(`loggingSteps is given but loggingStrategy is '${loggingStrategy}'`, "set loggingStrategy to 'steps'");
}

function checkFolders({ outputDir, saveStrategy, resumeFromCheckpoint }: TrainingArguments): void {
  if (outputDir !== '') return;
  if (saveStrategy !== 'no') conflict(`saveStrategy '${saveStrategy}' needs a folder to write to`, 'set outputDir');
  if (resumeFromCheckpoint === true) {
    conflict('resumeFromCheckpoint: true looks for the last checkpoint in outputDir', 'set outputDir, or give a path');
  }
}

function checkBest(args: TrainingArguments, given: Given): void {
  const { evalStrategy, saveStrategy, loadBestModelAtEnd, earlyStoppingPatience } = args;
  if (evalStrategy === 'no') {
    if (loadBestModelAtEnd)
      conflict('loadBestModelAtEnd needs evaluations to know the best', "set evalStrategy to 'steps' or 'epoch'");
    if (earlyStoppingPatience !== null) {
      conflict('earlyStoppingPatience counts evaluations', "set evalStrategy to 'steps' or 'epoch'");
    }
  }
  if (evalStrategy !== 'steps' && given.evalSteps !== undefined) {
    conflict(`evalSteps is given but evalStrategy is '${evalStrategy}'`, "set evalStrategy to 'steps'");
  }
  if (saveStrategy !== 'steps' && given.saveSteps !== undefined) {
    conflict(`saveSteps is given but saveStrategy is '${saveStrategy}'`, "set saveStrategy to 'steps'");
  }
  if (!loadBestModelAtEnd) return;
  if (saveStrategy !== evalStrategy) {
    conflict(
      `loadBestModelAtEnd needs a checkpoint of each evaluation: saveStrategy is '${saveStrategy}', evalStrategy '${evalStrategy}'`,
      'make them the same',
    );
  }
  if (saveStrategy === 'steps' && args.saveSteps % args.evalSteps !== 0) {
    conflict(
      `loadBestModelAtEnd needs an evaluation of each checkpoint: saveSteps ${args.saveSteps} is no multiple of evalSteps ${args.evalSteps}`,
      'make it one',
    );
  }
}

function conflict(why: string, remedy: string): never {
  throw new RangeError(`TrainingArguments: ${why}; ${remedy}`);
}
