/**
 * The number of each 4-bit code, as float32. NF4: quantiles of the normal distribution (Dettmers et al. 2023,
 * https://arxiv.org/abs/2305.14314, appendix E). FP4: sign, 2-bit exponent, 1-bit fraction, scaled so that the largest
 * is 1; code 8 is negative zero. Both as bitsandbytes has them.
 */
export const CODES_4BIT: Readonly<Record<'nf4' | 'fp4', Float32Array>> = {
  nf4: Float32Array.of(
    ...[-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453],
    ...[-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0],
    ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
    ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0],
  ),
  fp4: Float32Array.of(
    ...[0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4],
    ...[-0, -1 / 192, -2 / 3, -1, -1 / 3, -1 / 2, -1 / 6, -1 / 4],
  ),
};

/**
 * The sorted 256 entries of the dynamic 8-bit map (Dettmers 2016, https://arxiv.org/abs/1511.04561): a unary exponent,
 * powers of ten, and what bits remain for a linear fraction. As bitsandbytes' create_dynamic_map.
 */
export function dynamicMap8bit(signed: boolean): Float32Array {
  const entries = [0, 1];
  for (let exponent = 0; exponent < 7; exponent++) {
    const scale = 10 ** (exponent - 6);
    const intervals = 2 ** exponent * (signed ? 1 : 2);
    for (let i = 0; i < intervals; i++) {
      const middle = scale * (0.1 + (0.9 * (i + 0.5)) / intervals);
      entries.push(middle);
      if (signed) entries.push(-middle);
    }
  }
  while (entries.length < 256) entries.push(0);
  return Float32Array.from(entries).sort();
}
