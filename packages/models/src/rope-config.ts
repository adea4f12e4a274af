import type { RotaryScaling } from '@burin/nn';
import { ConfigReader } from './config-reader.js';

/** How positions turn. */
export interface RopeConfig {
  /** Base of the wavelengths. */
  readonly ropeTheta: number;
  readonly ropeScaling: RotaryScaling | null;
}

/** The same, of a head that turns in part. */
export interface PartialRopeConfig extends RopeConfig {
  /** Elements of a head that turn, from its start. */
  readonly rotaryDim: number;
  /** Their share of the head. */
  readonly share: number;
}

/** What a family calls its keys, where they are not inside `rope_parameters`. */
interface RopeKeys {
  theta: string;
  share: string;
  /** What is taken where no key says the share. */
  defaultShare: number;
}

const TYPES = ['default', 'linear', 'dynamic', 'llama3', 'yarn', 'longrope'] as const;

/**
 * How config.json says that positions turn: `rope_theta` and `rope_scaling`, or, as transformers 5 writes it, both in
 * `rope_parameters`. All of a head turns.
 *
 * @throws ConfigError that names the key
 */
export function ropeConfig(config: ConfigReader, headDim: number): RopeConfig {
  config.expect('partial_rotary_factor', 1);
  const rope = ropeReader(config);
  rope?.expect('partial_rotary_factor', 1);
  return readRope(config, rope, 'rope_theta', headDim);
}

/**
 * The same of a family whose heads turn in part: `partial_rotary_factor`, or what it is called there.
 *
 * @throws ConfigError that names the key
 */
export function partialRopeConfig(config: ConfigReader, headDim: number, keys: RopeKeys): PartialRopeConfig {
  const rope = ropeReader(config);
  const inside = rope?.has('partial_rotary_factor') ? rope : null;
  const older = config.positive(keys.share, keys.defaultShare);
  const share = inside ? inside.positive('partial_rotary_factor') : older;
  const rotaryDim = Math.floor(headDim * share);
  if (rotaryDim % 2 !== 0 || rotaryDim < 2 || rotaryDim > headDim) {
    throw (inside ?? config).complaint(
      inside ? 'partial_rotary_factor' : keys.share,
      `such that an even number of a head's ${headDim} elements turn, not ${rotaryDim}`,
    );
  }
  return { ...readRope(config, rope, keys.theta, rotaryDim), rotaryDim, share };
}

/**
 * What a text may be as long as. With linear and dynamic scaling `max_position_embeddings` is what the model was trained
 * on, by custom of transformers, and with yarn it may be.
 */
export function stretchedLength(maxPositionEmbeddings: number, { ropeScaling }: RopeConfig): number {
  const stretched = (length: number, factor: number) => Math.max(maxPositionEmbeddings, Math.floor(length * factor));
  switch (ropeScaling?.type) {
    case 'linear':
    case 'dynamic':
      return stretched(maxPositionEmbeddings, ropeScaling.factor);
    case 'yarn':
      return stretched(ropeScaling.originalMaxPositionEmbeddings, ropeScaling.factor);
    default:
      return maxPositionEmbeddings;
  }
}

/** The object that holds what is not in config.json itself. */
export function ropeReader(config: ConfigReader): ConfigReader | null {
  const key = config.has('rope_parameters') ? 'rope_parameters' : 'rope_scaling';
  return config.has(key) ? new ConfigReader(config.raw[key], `${config.where}: ${key}`) : null;
}

function readRope(config: ConfigReader, rope: ConfigReader | null, thetaKey: string, rotaryDim: number): RopeConfig {
  const theta = config.positive(thetaKey, 10000);
  if (!rope) return { ropeTheta: theta, ropeScaling: null };
  return { ropeTheta: rope.positive('rope_theta', theta), ropeScaling: ropeScaling(rope, config, rotaryDim) };
}

/** @throws ConfigError that names the key */
export function ropeScaling(rope: ConfigReader, config: ConfigReader, rotaryDim: number): RotaryScaling | null {
  if (Object.keys(rope.raw).every((key) => key === 'rope_theta' || key === 'partial_rotary_factor')) return null;
  const key = rope.has('rope_type') || !rope.has('type') ? 'rope_type' : 'type';
  const given = rope.raw[key];
  const isEarly = given === 'su' || (given === 'yarn' && rope.has('short_factor')); // Phi-3's first names for it
  const type = isEarly ? 'longrope' : rope.choice(key, TYPES);
  switch (type) {
    case 'default':
      return null;
    case 'linear':
      return { type, factor: rope.positive('factor') };
    case 'dynamic':
      return dynamic(rope, config, rotaryDim);
    case 'llama3':
      return llama3(rope);
    case 'yarn':
      return yarn(rope, config);
    case 'longrope':
      return longRope(rope, config, rotaryDim);
  }
}

function dynamic(rope: ConfigReader, config: ConfigReader, rotaryDim: number): RotaryScaling {
  const trained = config.integer('max_position_embeddings', 2048);
  rope.expect('original_max_position_embeddings', trained); // transformers looks at the other key alone
  if (rotaryDim === 2) throw rope.complaint('rope_type', 'another one where two elements of a head turn');
  return { type: 'dynamic', factor: rope.positive('factor'), originalMaxPositionEmbeddings: trained };
}

function llama3(rope: ConfigReader): RotaryScaling {
  return {
    type: 'llama3',
    factor: rope.positive('factor'),
    lowFreqFactor: rope.positive('low_freq_factor'),
    highFreqFactor: rope.positive('high_freq_factor'),
    originalMaxPositionEmbeddings: rope.integer('original_max_position_embeddings'),
  };
}

function yarn(rope: ConfigReader, config: ConfigReader): RotaryScaling {
  const factor = rope.positive('factor');
  const trained = config.integer('max_position_embeddings', 2048);
  const attentionFactor = yarnAttentionFactor(rope, factor);
  return {
    type: 'yarn',
    factor,
    originalMaxPositionEmbeddings: rope.integer('original_max_position_embeddings', trained),
    betaFast: rope.positive('beta_fast', 32),
    betaSlow: rope.positive('beta_slow', 1),
    ...(rope.has('truncate') && { truncate: rope.boolean('truncate', true) }),
    ...(attentionFactor !== null && { attentionFactor }),
  };
}

/** What cosine and sine are multiplied by, if a key says so: DeepSeek's two keys are a ratio. */
function yarnAttentionFactor(rope: ConfigReader, factor: number): number | null {
  if (rope.has('attention_factor')) return rope.positive('attention_factor');
  const [mscale, mscaleAllDim] = [rope.nonNegative('mscale', 0), rope.nonNegative('mscale_all_dim', 0)];
  if (mscale === 0 || mscaleAllDim === 0) return null;
  return yarnMagnitude(factor, mscale) / yarnMagnitude(factor, mscaleAllDim);
}

/** By how much scores grow where texts are stretched: `0.1 · mscale · ln(factor) + 1`, section 3.4 of the paper of yarn. */
export function yarnMagnitude(factor: number, mscale: number): number {
  return factor <= 1 ? 1 : 0.1 * mscale * Math.log(factor) + 1;
}

/** Phi-3 says beside `rope_scaling` how long texts were in training; the factor is how much longer they may be now. */
function longRope(rope: ConfigReader, config: ConfigReader, rotaryDim: number): RotaryScaling {
  const key = 'original_max_position_embeddings';
  const longest = config.integer('max_position_embeddings', 4096);
  const outside = config.integerOrNull(key, 1);
  const original = outside ?? rope.integer(key, longest);
  const ratio = longest / original;
  const factor = outside === null ? rope.positive('factor', ratio) : ratio;
  return {
    type: 'longrope',
    shortFactor: factorList(rope, 'short_factor', rotaryDim / 2),
    longFactor: factorList(rope, 'long_factor', rotaryDim / 2),
    originalMaxPositionEmbeddings: original,
    attentionFactor: rope.positive(
      'attention_factor',
      factor <= 1 || original === 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(original)),
    ),
  };
}

function factorList(rope: ConfigReader, key: string, pairs: number): number[] {
  const value = rope.raw[key];
  const fits = (factors: unknown[]): factors is number[] =>
    factors.length === pairs && factors.every((factor) => typeof factor === 'number' && factor > 0);
  if (Array.isArray(value) && fits(value)) return value;
  throw rope.complaint(key, `a list of ${pairs} numbers greater than 0, one for each pair that turns`);
}
