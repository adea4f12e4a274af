/** All wavelengths times `factor`: positions are divided by it. Chen et al. 2023, https://arxiv.org/abs/2306.15595. */
export interface LinearScaling {
  type: 'linear';
  factor: number;
}

/** Long wavelengths times `factor`, short ones kept, those between blended: as Llama 3.1's released code. */
export interface Llama3Scaling {
  type: 'llama3';
  factor: number;
  /** Longer than the original context divided by this is long. */
  lowFreqFactor: number;
  /** Shorter than the original context divided by this is short. */
  highFreqFactor: number;
  /** Tokens that the model saw before it was stretched. */
  originalMaxPositionEmbeddings: number;
}

/**
 * The base grows with the text once it is longer than the model was trained on, so that the longest wavelength always
 * fits ("NTK-aware", as transformers' `dynamic`). Frequencies depend on the length of the text.
 */
export interface DynamicScaling {
  type: 'dynamic';
  factor: number;
  /** Tokens up to which nothing is stretched. */
  originalMaxPositionEmbeddings: number;
}

/**
 * A factor for each wavelength, one list for texts up to the original length and one for longer ones: frequencies depend
 * on the length of the text. Ding et al. 2024, https://arxiv.org/abs/2402.13753.
 */
export interface LongRopeScaling {
  type: 'longrope';
  /** `[rotaryDim / 2]`, for texts of at most the original length. */
  shortFactor: readonly number[];
  /** `[rotaryDim / 2]`, for longer texts. */
  longFactor: readonly number[];
  originalMaxPositionEmbeddings: number;
  /** Factor on cosine and sine, for texts of either length. Default 1. */
  attentionFactor?: number;
}

/** As llama3 with a ramp over the pairs, and a factor on cosine and sine. Peng et al. 2023, https://arxiv.org/abs/2309.00071. */
export interface YarnScaling {
  type: 'yarn';
  factor: number;
  originalMaxPositionEmbeddings: number;
  /** Pairs that turn more often than this over the original context are kept. Default 32. */
  betaFast?: number;
  /** Pairs that turn less often than this are stretched. Default 1. */
  betaSlow?: number;
  /** Whether the ends of the ramp are whole pairs. Default true. */
  truncate?: boolean;
  /** Factor on cosine and sine. Default 0.1 · ln(factor) + 1, and 1 for a factor of 1 or less. */
  attentionFactor?: number;
}

/** How a model stretches its rotary embedding to longer texts, by Hugging Face's names in camelCase. */
export type RotaryScaling = LinearScaling | DynamicScaling | Llama3Scaling | YarnScaling | LongRopeScaling;

/** The numbers that each type of scaling cannot do without. */
const NUMBERS: Readonly<Record<string, readonly string[]>> = {
  linear: ['factor'],
  dynamic: ['factor', 'originalMaxPositionEmbeddings'],
  llama3: ['factor', 'lowFreqFactor', 'highFreqFactor', 'originalMaxPositionEmbeddings'],
  yarn: ['factor', 'originalMaxPositionEmbeddings'],
  longrope: ['originalMaxPositionEmbeddings'],
};

/** Which elements turn, and how fast. */
export interface RotaryOptions {
  /** Elements of one head. */
  headDim: number;
  /** Elements of a head that turn, from its start; left out: all. Even. */
  rotaryDim?: number;
  /** Base of the geometric series of wavelengths. Default 10000. */
  theta?: number;
  /** Default null: not stretched. */
  scaling?: RotaryScaling | null;
}

/** What {@link rotaryFrequencies} computes. */
export interface RotaryFrequencies {
  /** Radians by which each pair turns from one position to the next, `[rotaryDim / 2]`. */
  frequencies: Float64Array;
  /** Factor on cosine and sine: yarn's or longrope's, else 1. */
  attentionScale: number;
}

/**
 * The angle by which each pair turns from one position to the next: `theta^(−2i / rotaryDim)`, stretched by `scaling`.
 *
 * @param length - tokens of the text, where `scaling` depends on it (dynamic, longrope); left out: a short one
 * @throws RangeError if `rotaryDim` is odd or larger than `headDim`, theta or a number of `scaling` is not greater than 0, a
 *   list of factors has another length than there are pairs, or there is no scaling of such a type
 * @see Su et al. 2021, https://arxiv.org/abs/2104.09864
 */
export function rotaryFrequencies(options: RotaryOptions, length = 0): RotaryFrequencies {
  const { headDim, rotaryDim = headDim, theta = 10000, scaling = null } = options;
  checkOptions(headDim, rotaryDim, theta, scaling);
  const series = (base: number) =>
    Float64Array.from({ length: rotaryDim / 2 }, (_, i) => base ** ((-2 * i) / rotaryDim));
  const plain = series(theta);
  if (!scaling) return { frequencies: plain, attentionScale: 1 };
  switch (scaling.type) {
    case 'linear':
      return { frequencies: plain.map((frequency) => frequency / scaling.factor), attentionScale: 1 };
    case 'dynamic':
      return { frequencies: series(dynamicBase(theta, rotaryDim, scaling, length)), attentionScale: 1 };
    case 'llama3':
      return { frequencies: plain.map((frequency) => llama3(frequency, scaling)), attentionScale: 1 };
    case 'yarn':
      return yarn(plain, rotaryDim, theta, scaling);
    case 'longrope':
      return longRope(plain, scaling, length);
  }
}

/**
 * Texts of which lengths have the same frequencies: a number that differs where they do. 0 where `scaling` does not look
 * at the length, or the text is a short one.
 */
export function stretchOf(scaling: RotaryScaling | null, length: number): number {
  if (scaling?.type !== 'dynamic' && scaling?.type !== 'longrope') return 0;
  if (length <= scaling.originalMaxPositionEmbeddings) return 0;
  return scaling.type === 'dynamic' ? length : 1;
}

function checkOptions(headDim: number, rotaryDim: number, theta: number, scaling: RotaryScaling | null): void {
  if (!Number.isInteger(rotaryDim) || rotaryDim % 2 !== 0 || rotaryDim > headDim || rotaryDim < 2) {
    throw new RangeError(
      `rotaryFrequencies: rotaryDim must be even and from 2 to headDim ${headDim}, got ${rotaryDim}`,
    );
  }
  if (!(theta > 0)) throw new RangeError(`rotaryFrequencies: theta must be greater than 0, got ${theta}`);
  if (scaling?.type === 'longrope') checkFactorLists(scaling, rotaryDim / 2);
  if (scaling) checkNumbers(scaling);
  if (scaling?.type === 'dynamic' && rotaryDim === 2) {
    throw new RangeError('rotaryFrequencies: dynamic scaling needs two pairs that turn or more, got rotaryDim 2');
  }
}

function checkNumbers(scaling: RotaryScaling): void {
  const names = NUMBERS[scaling.type];
  if (!names) {
    throw new RangeError(
      `rotaryFrequencies: scaling.type must be ${Object.keys(NUMBERS).join(', ')}, got ${scaling.type}`,
    );
  }
  const given: Record<string, unknown> = { ...scaling };
  for (const name of names) {
    if ((given[name] as number) > 0) continue;
    throw new RangeError(`rotaryFrequencies: scaling.${name} must be greater than 0, got ${given[name]}`);
  }
}

function checkFactorLists(scaling: LongRopeScaling, pairs: number): void {
  for (const name of ['shortFactor', 'longFactor'] as const) {
    const factors = scaling[name];
    if (factors.length === pairs && factors.every((factor) => factor > 0)) continue;
    throw new RangeError(
      `rotaryFrequencies: scaling.${name} must be a factor greater than 0 for each pair: ` +
        `expected ${pairs}, got ${factors.length}`,
    );
  }
}

/** The base at which the longest wavelength is stretched as much as the text exceeds what was trained on. */
function dynamicBase(theta: number, rotaryDim: number, scaling: DynamicScaling, length: number): number {
  const { factor, originalMaxPositionEmbeddings: original } = scaling;
  const stretched = (factor * Math.max(length, original)) / original - (factor - 1);
  return theta * stretched ** (rotaryDim / (rotaryDim - 2));
}

function longRope(plain: Float64Array, scaling: LongRopeScaling, length: number): RotaryFrequencies {
  const factors = stretchOf(scaling, length) ? scaling.longFactor : scaling.shortFactor;
  return {
    frequencies: plain.map((frequency, i) => frequency / factors[i]!),
    attentionScale: scaling.attentionFactor ?? 1,
  };
}

function llama3(frequency: number, scaling: Llama3Scaling): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: original } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < original / highFreqFactor) return frequency;
  if (wavelength > original / lowFreqFactor) return frequency / factor;
  const blend = (original / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return (1 - blend) * (frequency / factor) + blend * frequency;
}

/** Section 3.2 of the paper, with the ramp's ends rounded as in its released code. */
function yarn(plain: Float64Array, rotaryDim: number, theta: number, scaling: YarnScaling): RotaryFrequencies {
  const { factor, originalMaxPositionEmbeddings: original, betaFast = 32, betaSlow = 1 } = scaling;
  // the pair, as a fraction, that turns so often over the original context
  const pairOfRotations = (rotations: number) =>
    (rotaryDim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const [down, up] = scaling.truncate === false ? [Number, Number] : [Math.floor, Math.ceil];
  const low = Math.max(down(pairOfRotations(betaFast)), 0);
  const high = Math.min(up(pairOfRotations(betaSlow)), rotaryDim - 1);
  const frequencies = plain.map((frequency, i) => {
    const ramp = Math.min(Math.max((i - low) / Math.max(high - low, 0.001), 0), 1); // 0 keeps, 1 stretches
    return frequency * (1 - ramp) + (frequency / factor) * ramp;
  });
  return { frequencies, attentionScale: scaling.attentionFactor ?? 0.1 * Math.log(Math.max(factor, 1)) + 1 };
}
