import { checkChoice, checkOptions, type Tensor, tensor } from '@burin/tensor';

/** The form of {@link sinusoidalPositions}. */
export interface SinusoidalOptions {
  /** Wavelengths go from 2π to 2π · base. Default 10000. */
  base?: number;
  /** `'interleaved'` (default) as in the paper; `'concatenated'`: all sines, then all cosines. */
  layout?: 'interleaved' | 'concatenated';
}

/**
 * The fixed position encodings of the first Transformer. Angles are computed in float64.
 *
 *     pe[p, 2i] = sin(p / base^(2i / width))      pe[p, 2i + 1] = cos(p / base^(2i / width))
 *
 * @param count - how many positions
 * @param width - C, even
 * @returns float32 `[count, width]`
 * @throws RangeError if a size is not a whole number of 1 or more, `width` is odd, or `base` is not greater than 0; for another layout or
 *   an option that there is not
 * @see Vaswani et al. 2017, section 3.5, https://arxiv.org/abs/1706.03762
 * @example
 * const x = embeddings.add(sinusoidalPositions(512, 64).narrow(0, 0, tokens));
 */
export function sinusoidalPositions(count: number, width: number, options: SinusoidalOptions = {}): Tensor {
  checkOptions('sinusoidalPositions', options, ['base', 'layout']);
  const { base = 10000, layout = 'interleaved' } = options;
  checkSizes(count, width);
  if (!(base > 0)) throw new RangeError(`sinusoidalPositions: base must be greater than 0, got ${base}`);
  checkChoice('sinusoidalPositions', 'layout', layout, ['interleaved', 'concatenated']);
  const half = width / 2;
  const table = new Float32Array(count * width);
  for (let p = 0; p < count; p++) {
    for (let i = 0; i < half; i++) {
      const angle = p / base ** ((2 * i) / width);
      const [sine, cosine] = layout === 'interleaved' ? [2 * i, 2 * i + 1] : [i, half + i];
      table[p * width + sine] = Math.sin(angle);
      table[p * width + cosine] = Math.cos(angle);
    }
  }
  return tensor(table, [count, width]);
}

function checkSizes(count: number, width: number): void {
  if (!Number.isInteger(count) || count < 1) {
    throw new RangeError(`sinusoidalPositions: count must be a whole number of 1 or more, got ${count}`);
  }
  if (!Number.isInteger(width) || width < 2 || width % 2 !== 0) {
    throw new RangeError(`sinusoidalPositions: width must be an even number of 2 or more, got ${width}`);
  }
}
