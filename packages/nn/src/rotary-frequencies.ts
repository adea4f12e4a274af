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

/** As llama3 with a ramp over the pairs, and a factor on cosine and sine. Peng et al. 2023, https://arxiv.org/abs/2309.00071. */
export interface YarnScaling {
  type: 'yarn';
  factor: number;
  originalMaxPositionEmbeddings: number;
  /** Pairs that turn more often than this over the original context are kept. Default 32. */
  betaFast?: number;
  /** Pairs that turn less often than this are stretched. Default 1. */
  betaSlow?: number;
  /** Factor on cosine and sine. Default 0.1 · ln(factor) + 1, and 1 for a factor of 1 or less. */
  attentionFactor?: number;
}

/** How a model stretches its rotary embedding to longer texts, by Hugging Face's names in camelCase. */
export type RotaryScaling = LinearScaling | Llama3Scaling | YarnScaling;

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
  /** Factor on cosine and sine: yarn's, else 1. */
  attentionScale: number;
}

/**
 * The angle by which each pair turns from one position to the next: `theta^(−2i / rotaryDim)`, stretched by `scaling`.
 *
 * @throws RangeError if `rotaryDim` is odd or larger than `headDim`, or theta or a factor is not greater than 0
 * @see Su et al. 2021, https://arxiv.org/abs/2104.09864
 */
export function rotaryFrequencies(options: RotaryOptions): RotaryFrequencies {
  const { headDim, rotaryDim = headDim, theta = 10000, scaling = null } = options;
  checkOptions(headDim, rotaryDim, theta, scaling);
  const plain = Float64Array.from({ length: rotaryDim / 2 }, (_, i) => theta ** ((-2 * i) / rotaryDim));
  if (!scaling) return { frequencies: plain, attentionScale: 1 };
  switch (scaling.type) {
    case 'linear':
      return { frequencies: plain.map((frequency) => frequency / scaling.factor), attentionScale: 1 };
    case 'llama3':
      return { frequencies: plain.map((frequency) => llama3(frequency, scaling)), attentionScale: 1 };
    case 'yarn':
      return yarn(plain, rotaryDim, theta, scaling);
  }
}

function checkOptions(headDim: number, rotaryDim: number, theta: number, scaling: RotaryScaling | null): void {
  if (!Number.isInteger(rotaryDim) || rotaryDim % 2 !== 0 || rotaryDim > headDim || rotaryDim < 2) {
    throw new RangeError(
      `rotaryFrequencies: rotaryDim must be even and from 2 to headDim ${headDim}, got ${rotaryDim}`,
    );
  }
  if (!(theta > 0)) throw new RangeError(`rotaryFrequencies: theta must be greater than 0, got ${theta}`);
  if (scaling && !(scaling.factor > 0)) {
    throw new RangeError(`rotaryFrequencies: scaling.factor must be greater than 0, got ${scaling.factor}`);
  }
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
  const low = Math.max(Math.floor(pairOfRotations(betaFast)), 0);
  const high = Math.min(Math.ceil(pairOfRotations(betaSlow)), rotaryDim - 1);
  const frequencies = plain.map((frequency, i) => {
    const ramp = Math.min(Math.max((i - low) / Math.max(high - low, 0.001), 0), 1); // 0 keeps, 1 stretches
    return frequency * (1 - ramp) + (frequency / factor) * ramp;
  });
  return { frequencies, attentionScale: scaling.attentionFactor ?? 0.1 * Math.log(Math.max(factor, 1)) + 1 };
}
