import { type Tensor, tensor } from '@burin/tensor';

/**
 * The fixed position encodings of the first Transformer: `[count, width]` float32.
 *
 *     pe[p, 2i] = sin(p / base^(2i / width))      pe[p, 2i + 1] = cos(the same)
 *
 * @param options.layout - `'interleaved'` as in the paper; `'concatenated'`: all sines, then all cosines
 * @throws RangeError if `width` is odd
 * @see Vaswani et al. 2017, section 3.5, https://arxiv.org/abs/1706.03762
 */
export function sinusoidalPositions(
  count: number,
  width: number,
  { base = 10000, layout = 'interleaved' }: { base?: number; layout?: 'interleaved' | 'concatenated' } = {},
): Tensor {
  if (width % 2 !== 0) throw new RangeError(`sinusoidalPositions: the width must be even, got ${width}`);
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
