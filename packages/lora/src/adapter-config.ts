import { CheckpointError } from '@burin/checkpoint';
import { isPlainName } from './match.js';
import { type BiasMode, type LoraConfig, resolveOptions, type TaskType } from './options.js';

/** The fields of `adapter_config.json` that this package gives a meaning. The file has PEFT's own names. */
interface AdapterFields {
  peft_type: string;
  task_type: string | null;
  r: number;
  lora_alpha: number;
  lora_dropout: number;
  target_modules: string | string[] | null;
  exclude_modules: string | string[] | null;
  bias: string;
  modules_to_save: string[] | null;
  use_rslora: boolean;
  rank_pattern: Record<string, number>;
  alpha_pattern: Record<string, number>;
  layers_to_transform: number | number[] | null;
  layers_pattern: string | string[] | null;
  /** How the base stores its weight, which a layer knows here: PEFT sets it in every adapter of a GPT-2. */
  fan_in_fan_out: boolean;
}

/** PEFT's other fields with the values that change nothing: written so that PEFT finds all that it knows. */
const UNUSED_FIELDS = {
  alora_invocation_tokens: null,
  arrow_config: null,
  auto_mapping: null,
  corda_config: null,
  ensure_weight_tying: false,
  eva_config: null,
  init_lora_weights: true,
  kasa_config: null,
  layer_replication: null,
  loftq_config: {},
  lora_bias: false,
  lora_ga_config: null,
  megatron_config: null,
  megatron_core: 'megatron.core',
  monteclora_config: null,
  qalora_group_size: 16,
  revision: null,
  target_parameters: null,
  trainable_token_indices: null,
  use_bdlora: null,
  use_dora: false,
  use_qalora: false,
  velora_config: null,
} as const;

/** Fields that change no number of a trained adapter, whatever they say. */
const WITHOUT_EFFECT = new Set([
  ...[
    'auto_mapping',
    'base_model_name_or_path',
    'inference_mode',
    'megatron_core',
    'peft_version',
    'qalora_group_size',
  ],
  ...['revision', 'runtime_config', 'eva_config'],
]);

/** Starting values that leave the base as it is. Others (PiSSA, OLoRA, CorDA, LoftQ) change the base weight too. */
const HARMLESS_STARTS: readonly unknown[] = [true, false, null, 'gaussian', 'orthogonal', 'eva'];

const READ_FIELDS: readonly (keyof AdapterFields)[] = [
  ...(['peft_type', 'task_type', 'r', 'lora_alpha', 'lora_dropout', 'target_modules', 'exclude_modules'] as const),
  ...(['bias', 'modules_to_save', 'use_rslora', 'rank_pattern', 'alpha_pattern'] as const),
  ...(['layers_to_transform', 'layers_pattern', 'fan_in_fan_out'] as const),
];

/** What the file says besides the options. */
interface SavedOn {
  /** Names that stand for the layers that got an adapter: written where the options are not plain names. */
  readonly targets: readonly string[];
  /** Whether layers among them store their weight as `[in, out]`. */
  readonly fanInFanOut: boolean;
  readonly baseModelNameOrPath: string | null;
}

/** What `adapter_config.json` says of an adapter, with every field that PEFT 0.20 writes. */
export function writeConfig(
  config: LoraConfig,
  { targets, fanInFanOut, baseModelNameOrPath }: SavedOn,
): Record<string, unknown> {
  const { targetModules, modulesToSave, layersPattern } = config;
  const isPlain = targetModules !== 'all-linear' && [...targetModules, ...config.excludeModules].every(isPlainName);
  const fields: AdapterFields = {
    peft_type: 'LORA',
    task_type: config.taskType,
    r: config.rank,
    lora_alpha: config.alpha,
    lora_dropout: config.dropout,
    target_modules: (isPlain ? [...targetModules] : [...targets]) as string[],
    exclude_modules: isPlain && config.excludeModules.length > 0 ? ([...config.excludeModules] as string[]) : null,
    bias: config.bias,
    modules_to_save: modulesToSave.length > 0 ? [...modulesToSave] : null,
    use_rslora: config.useRslora,
    rank_pattern: config.rankPattern,
    alpha_pattern: config.alphaPattern,
    layers_to_transform: isPlain && config.layersToTransform ? [...config.layersToTransform] : null,
    layers_pattern: isPlain && layersPattern.length > 0 ? [...layersPattern] : null,
    fan_in_fan_out: fanInFanOut,
  };
  const all = { ...UNUSED_FIELDS, ...fields, base_model_name_or_path: baseModelNameOrPath, inference_mode: true };
  return Object.fromEntries(Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Reads `adapter_config.json`.
 *
 * @param where - the file, for messages
 * @throws CheckpointError if it is no LoRA adapter, or asks for something that changes numbers and is not supported here
 */
export function readConfig(where: string, json: unknown): LoraConfig {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new CheckpointError(
      `${where}: an object is expected, got ${Array.isArray(json) ? 'an array' : String(json)}`,
    );
  }
  const fields = json as Partial<AdapterFields> & Record<string, unknown>;
  if (fields.peft_type !== 'LORA') {
    throw new CheckpointError(`${where}: peft_type must be LORA, got ${JSON.stringify(fields.peft_type)}`);
  }
  checkUnsupported(where, fields);
  checkTypes(where, fields);
  try {
    return resolveOptions(where, {
      rank: fields.r ?? 8,
      alpha: fields.lora_alpha ?? 8,
      dropout: fields.lora_dropout ?? 0,
      bias: (fields.bias ?? 'none') as BiasMode,
      targetModules: targetsOf(where, fields.target_modules),
      excludeModules: excludedOf(where, fields.exclude_modules),
      modulesToSave: asList(fields.modules_to_save),
      taskType: (fields.task_type ?? null) as TaskType | null,
      useRslora: fields.use_rslora ?? false,
      rankPattern: fields.rank_pattern ?? {},
      alphaPattern: fields.alpha_pattern ?? {},
      layersPattern: asList(fields.layers_pattern),
      ...(fields.layers_to_transform == null ? {} : { layersToTransform: fields.layers_to_transform }),
    });
  } catch (cause) {
    throw cause instanceof RangeError ? new CheckpointError(cause.message, { cause }) : cause;
  }
}

/** PEFT reads a string as a regular expression for the whole name, and items of a list as ends of names. */
function targetsOf(
  where: string,
  target: AdapterFields['target_modules'] | undefined,
): 'all-linear' | RegExp | string[] {
  if (target === 'all-linear') return target;
  if (typeof target === 'string') return wholeName(where, 'target_modules', target);
  if (target && target.length > 0) return target;
  throw new CheckpointError(`${where}: target_modules must name a module at least, got ${JSON.stringify(target)}`);
}

function excludedOf(where: string, excluded: AdapterFields['exclude_modules'] | undefined): (RegExp | string)[] {
  return typeof excluded === 'string' ? [wholeName(where, 'exclude_modules', excluded)] : asList(excluded);
}

function wholeName(where: string, field: string, pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`);
  } catch (cause) {
    throw new CheckpointError(`${where}: ${field} must be a regular expression, got '${pattern}'`, { cause });
  }
}

function asList<T>(value: T | T[] | null | undefined): T[] {
  if (value === null || value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function checkUnsupported(where: string, fields: Record<string, unknown>): void {
  const read: readonly string[] = READ_FIELDS;
  for (const [name, value] of Object.entries(fields)) {
    if (read.includes(name) || WITHOUT_EFFECT.has(name)) continue;
    if (name === 'init_lora_weights' ? HARMLESS_STARTS.includes(value) : isNeutral(value)) continue;
    throw new CheckpointError(
      `${where}: ${name} must be off: it changes what the adapter computes and is not supported here, got ${JSON.stringify(value)}`,
    );
  }
}

function isNeutral(value: unknown): boolean {
  if (value === null || value === undefined || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}

const isString = (value: unknown) => typeof value === 'string';
const isNumber = (value: unknown) => typeof value === 'number';
const isBoolean = (value: unknown) => typeof value === 'boolean';
const isListOf = (test: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(test);
const isStrings = (value: unknown) => isString(value) || isListOf(isString)(value);
const isPatterns = (value: unknown) => typeof value === 'object' && Object.values(value as object).every(isNumber);

const TYPES: Readonly<Record<keyof AdapterFields, { test: (value: unknown) => boolean; rule: string }>> = {
  peft_type: { test: isString, rule: 'text' },
  task_type: { test: isString, rule: 'text or null' },
  r: { test: isNumber, rule: 'a number' },
  lora_alpha: { test: isNumber, rule: 'a number' },
  lora_dropout: { test: isNumber, rule: 'a number' },
  target_modules: { test: isStrings, rule: 'text or a list of it' },
  exclude_modules: { test: isStrings, rule: 'text or a list of it' },
  bias: { test: isString, rule: 'text' },
  modules_to_save: { test: isStrings, rule: 'a list of text' },
  use_rslora: { test: isBoolean, rule: 'true or false' },
  rank_pattern: { test: isPatterns, rule: 'numbers by pattern' },
  alpha_pattern: { test: isPatterns, rule: 'numbers by pattern' },
  layers_to_transform: { test: (value) => isNumber(value) || isListOf(isNumber)(value), rule: 'numbers' },
  layers_pattern: { test: isStrings, rule: 'text or a list of it' },
  fan_in_fan_out: { test: isBoolean, rule: 'true or false' },
};

function checkTypes(where: string, fields: Partial<AdapterFields>): void {
  for (const name of READ_FIELDS) {
    const value = fields[name];
    if (value === null || value === undefined || TYPES[name].test(value)) continue;
    throw new CheckpointError(`${where}: ${name} must be ${TYPES[name].rule}, got ${JSON.stringify(value)}`);
  }
}
