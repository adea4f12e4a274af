/** How a model stretches its rotary embedding to longer texts, by Hugging Face's names in camelCase. */
export type RotaryScaling =
  | { type: 'linear'; factor: number }
  | {
      type: 'llama3';
      factor: number;
      lowFreqFactor: number;
      highFreqFactor: number;
      originalMaxPositionEmbeddings: number;
    }
  | {
      type: 'yarn';
      factor: number;
      originalMaxPositionEmbeddings: number;
      betaFast?: number;
      betaSlow?: number;
      attentionFactor?: number;
    };

export interface RotaryOptions {
  /** Elements of one head. */
  headDim: number;
  /** Elements of a head that turn, from its start; left out: all. Even. */
  rotaryDim?: number;
  /** Base of the geometric series of wavelengths. Default 10000. */
  theta?: number;
  scaling?: RotaryScaling | null;
}

/**
 * The angle by which each pair turns from one position to the next: `theta^(−2i / rotaryDim)`, stretched.
 *
 * @returns radians `[rotaryDim / 2]`, and the factor that yarn puts on cosine and sine (else 1)
 * @throws RangeError if `rotaryDim` is odd or larger than `headDim`, or a factor is not positive
 */
export function rotaryFrequencies(options: RotaryOptions): { frequencies: Float64Array; attentionScale: number } {
  const { headDim, rotaryDim = headDim, theta = 10000, scaling = null } = options;
  if (rotaryDim % 2 !== 0 || rotaryDim > headDim || rotaryDim < 2) {
    throw new RangeError(`rotaryFrequencies: rotaryDim must be even and at most headDim ${headDim}, got ${rotaryDim}`);
  }
  const plain = Float64Array.from({ length: rotaryDim / 2 }, (_, i) => theta ** ((-2 * i) / rotaryDim));
  if (!scaling) return { frequencies: plain, attentionScale: 1 };
  if (!(scaling.factor > 0)) throw new RangeError(`rotaryFrequencies: factor must be positive, got ${scaling.factor}`);
  switch (scaling.type) {
    case 'linear':
      return { frequencies: plain.map((frequency) => frequency / scaling.factor), attentionScale: 1 };
    case 'llama3':
      return { frequencies: plain.map((frequency) => llama3(frequency, scaling)), attentionScale: 1 };
    case 'yarn':
      return yarn(plain, rotaryDim, theta, scaling);
  }
}

/** Long wavelengths are stretched, short ones kept, those between blended (Llama 3.1's released code). */
function llama3(frequency: number, scaling: Extract<RotaryScaling, { type: 'llama3' }>): number {
  const { factor, lowFreqFactor, highFreqFactor, originalMaxPositionEmbeddings: original } = scaling;
  const wavelength = (2 * Math.PI) / frequency;
  if (wavelength < original / highFreqFactor) return frequency;
  if (wavelength > original / lowFreqFactor) return frequency / factor;
  const blend = (original / wavelength - lowFreqFactor) / (highFreqFactor - lowFreqFactor);
  return (1 - blend) * (frequency / factor) + blend * frequency;
}

/** Peng et al. 2023, https://arxiv.org/abs/2309.00071, section 3.2. */
function yarn(
  plain: Float64Array,
  rotaryDim: number,
  theta: number,
  scaling: Extract<RotaryScaling, { type: 'yarn' }>,
): { frequencies: Float64Array; attentionScale: number } {
  const { factor, originalMaxPositionEmbeddings: original, betaFast = 32, betaSlow = 1 } = scaling;
  const pairOfRotations = (rotations: number) =>
    (rotaryDim * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(theta));
  const low = Math.max(Math.floor(pairOfRotations(betaFast)), 0);
  const high = Math.min(Math.ceil(pairOfRotations(betaSlow)), rotaryDim - 1);
  const frequencies = plain.map((frequency, i) => {
    const ramp = Math.min(Math.max((i - low) / Math.max(high - low, 0.001), 0), 1); // 0 keeps, 1 stretches
    return frequency * (1 - ramp) + (frequency / factor) * ramp;
  });
  return { frequencies, attentionScale: scaling.attentionFactor ?? 0.1 * Math.log(factor) + 1 };
}
