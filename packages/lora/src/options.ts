import { checkOptions, type Generator } from '@burin/tensor';

/**
 * Which modules: a plain name stands for every module whose dotted name is it or ends in it (`q_proj`,
 * `self_attn.q_proj`); a string with signs of a regular expression must match the whole dotted name, as in PEFT; a
 * RegExp may match any part of it.
 */
export type ModulePattern = string | RegExp;

/** PEFT's names of tasks. `SEQ_CLS` and `TOKEN_CLS` train the classification head along with the adapter. */
export type TaskType = 'CAUSAL_LM' | 'FEATURE_EXTRACTION' | 'QUESTION_ANS' | 'SEQ_2_SEQ_LM' | 'SEQ_CLS' | 'TOKEN_CLS';

/** Which biases of the base are trained: none, all of them, or those of the layers that get an adapter. */
export type BiasMode = 'none' | 'all' | 'lora_only';

/** What an adapter is and where it goes. */
export interface LoraOptions {
  /** Rows of A. Default 8. */
  rank?: number;
  /** The adapter's part is scaled by alpha / rank. Default: rank, so that the scale is 1. */
  alpha?: number;
  /** Probability of dropping an input of A, in training. Default 0. */
  dropout?: number;
  /** Default `'none'`. */
  bias?: BiasMode;
  /** Default `'all-linear'`: every Linear but the output head. */
  targetModules?: 'all-linear' | ModulePattern | readonly ModulePattern[];
  /** Taken out of what `targetModules` chose. */
  excludeModules?: ModulePattern | readonly ModulePattern[];
  /** Modules of which the adapter has a trainable copy of its own, such as a new head. */
  modulesToSave?: string | readonly string[];
  /** Written for PEFT; of classification and question answering it also has the model's head trained along. */
  taskType?: TaskType | null;
  /** Scale by alpha / √rank instead (Kalajdzievski 2023, https://arxiv.org/abs/2312.03732). Default false. */
  useRslora?: boolean;
  /** Ranks of some layers, by name or regular expression for the end of the dotted name. */
  rankPattern?: Readonly<Record<string, number>>;
  /** The same for alpha. */
  alphaPattern?: Readonly<Record<string, number>>;
  /** Only layers with these numbers (`model.layers.3.…`), and modules that `targetModules` names in full. */
  layersToTransform?: number | readonly number[];
  /** What stands before the number in a dotted name (`layers`). Default: anything. */
  layersPattern?: string | readonly string[];
  /** Draws A, and the dropout. */
  rng: Generator;
}

/** Options with defaults filled in and checked; what `adapter_config.json` holds, without the random generator. */
export interface LoraConfig {
  readonly rank: number;
  readonly alpha: number;
  readonly dropout: number;
  readonly bias: BiasMode;
  readonly targetModules: 'all-linear' | readonly ModulePattern[];
  readonly excludeModules: readonly ModulePattern[];
  readonly modulesToSave: readonly string[];
  readonly taskType: TaskType | null;
  readonly useRslora: boolean;
  readonly rankPattern: Readonly<Record<string, number>>;
  readonly alphaPattern: Readonly<Record<string, number>>;
  readonly layersToTransform: readonly number[] | null;
  readonly layersPattern: readonly string[];
}

const BIAS_MODES: readonly BiasMode[] = ['none', 'all', 'lora_only'];

const TASK_TYPES: readonly (TaskType | null)[] = [
  ...(['CAUSAL_LM', 'FEATURE_EXTRACTION', 'QUESTION_ANS', 'SEQ_2_SEQ_LM', 'SEQ_CLS', 'TOKEN_CLS'] as const),
  null,
];

/** @throws RangeError that names the option and its rule, or lists the options where there is none of a name */
export function resolveOptions(who: string, options: Omit<LoraOptions, 'rng'>): LoraConfig {
  const { rank = 8, targetModules = 'all-linear', layersToTransform } = options;
  const config: LoraConfig = {
    rank,
    alpha: options.alpha ?? rank,
    dropout: options.dropout ?? 0,
    bias: options.bias ?? 'none',
    targetModules: targetModules === 'all-linear' ? targetModules : listOf(targetModules),
    excludeModules: listOf(options.excludeModules ?? []),
    modulesToSave: listOf(options.modulesToSave ?? []),
    taskType: options.taskType ?? null,
    useRslora: options.useRslora ?? false,
    rankPattern: { ...options.rankPattern },
    alphaPattern: { ...options.alphaPattern },
    layersToTransform: layersToTransform === undefined ? null : listOf(layersToTransform),
    layersPattern: listOf(options.layersPattern ?? []),
  };
  checkOptions(who, options, [...Object.keys(config), 'rng']);
  checkConfig(who, config);
  return config;
}

/** @throws TypeError where types did not ask for it: without it A would stay zeros, and nothing could be trained */
export function requireGenerator(who: string, rng: Generator): void {
  if (typeof rng?.reserve === 'function') return;
  throw new TypeError(`${who}: A starts at random: expected rng: new Generator(42), got ${typeof rng}`);
}

function listOf<T extends string | number | RegExp>(value: T | readonly T[]): readonly T[] {
  return Array.isArray(value) ? [...value] : [value as T];
}

function checkConfig(who: string, config: LoraConfig): void {
  for (const [name, rank] of [['rank', config.rank] as const, ...Object.entries(config.rankPattern)]) {
    require(Number.isInteger(rank) && rank >= 1, `${who}: ${name} must be a whole number of 1 or more`, rank);
  }
  for (const [name, alpha] of [['alpha', config.alpha] as const, ...Object.entries(config.alphaPattern)]) {
    require(Number.isFinite(alpha), `${who}: ${name} must be a finite number`, alpha);
  }
  require(config.dropout >= 0 && config.dropout < 1, `${who}: dropout must be in [0, 1)`, config.dropout);
  require(BIAS_MODES.includes(config.bias), `${who}: bias must be one of ${BIAS_MODES.join(', ')}`, config.bias);
  require(TASK_TYPES.includes(
    config.taskType,
  ), `${who}: taskType must be one of ${TASK_TYPES.join(', ')}`, config.taskType);
  checkExpressions(who, config);
  require(config.targetModules.length > 0, `${who}: targetModules must name a module at least`, 'an empty list');
}

function checkExpressions(who: string, config: LoraConfig): void {
  const { targetModules, excludeModules, rankPattern, alphaPattern, layersPattern } = config;
  const patterns = [...(targetModules === 'all-linear' ? [] : targetModules), ...excludeModules, ...layersPattern];
  for (const pattern of [...patterns, ...Object.keys(rankPattern), ...Object.keys(alphaPattern)]) {
    try {
      new RegExp(pattern);
    } catch (cause) {
      throw new RangeError(`${who}: '${String(pattern)}' must be a name or a regular expression`, { cause });
    }
  }
}

function require(holds: boolean, rule: string, got: unknown): void {
  if (!holds) throw new RangeError(`${rule}, got ${String(got)}`);
}

/** The first entry of a `rankPattern` or `alphaPattern` whose key matches the end of a dotted name, as in PEFT. */
function patternValue(patterns: Readonly<Record<string, number>>, name: string): number | undefined {
  return Object.entries(patterns).find(([key]) => new RegExp(`^(.*\\.)?(${key})$`).test(name))?.[1];
}

/** Rank of one layer. */
export function rankOf(config: LoraConfig, name: string): number {
  return patternValue(config.rankPattern, name) ?? config.rank;
}

/** What the product of B and A is multiplied by in one layer. */
export function scaleOf(config: LoraConfig, name: string): number {
  const rank = rankOf(config, name);
  const alpha = patternValue(config.alphaPattern, name) ?? config.alpha;
  return alpha / (config.useRslora ? Math.sqrt(rank) : rank);
}
