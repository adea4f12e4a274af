/**
 * The number of each NF4 code: quantiles of the normal distribution, bit for bit those of bitsandbytes.
 *
 * @see Dettmers et al. 2023, https://arxiv.org/abs/2305.14314, appendix E
 */
export const NF4_CODE: Readonly<Float32Array> = Float32Array.of(
  ...[-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453],
  ...[-0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0],
  ...[0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224],
  ...[0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0],
);

/**
 * The number of each FP4 code: sign, two bits of exponent, one of fraction, so scaled that the largest is 1. Code 8 is
 * a second zero.
 */
export const FP4_CODE: Readonly<Float32Array> = Float32Array.of(
  ...[0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4],
  ...[0, -1 / 192, -2 / 3, -1, -1 / 3, -1 / 2, -1 / 6, -1 / 4],
);

/** The two 4-bit types. */
export type FourBitType = 'nf4' | 'fp4';

export const CODES: Readonly<Record<FourBitType, Readonly<Float32Array>>> = { nf4: NF4_CODE, fp4: FP4_CODE };

const EXPONENTS = 7; // powers of ten from 1e-6 to 1

/**
 * The sorted 256 entries of the dynamic 8-bit map, bit for bit those of bitsandbytes: each of seven powers of ten is cut
 * into as many intervals as the bits that are left can count, and the middles of those are the entries.
 *
 * @param signed - from −1 to 1; otherwise from 0 to 1, twice as fine
 * @see Dettmers 2016, https://arxiv.org/abs/1511.04561
 */
export function dynamicMap(signed: boolean): Float32Array {
  const entries = [0, 1];
  for (let exponent = 0; exponent < EXPONENTS; exponent++) {
    const scale = Math.fround(10 ** (exponent - EXPONENTS + 1));
    const bounds = linspace(0.1, 1, 2 ** exponent * (signed ? 1 : 2) + 1);
    for (let i = 0; i + 1 < bounds.length; i++) {
      const entry = Math.fround(scale * Math.fround(Math.fround(bounds[i]! + bounds[i + 1]!) / 2));
      entries.push(entry);
      if (signed) entries.push(-entry);
    }
  }
  return Float32Array.from(entries).sort();
}

/**
 * PyTorch's `linspace` in float32, to the bit: counted from both ends, each number by one fused multiply and add, which
 * float64 gives when it is rounded once.
 */
function linspace(start: number, end: number, count: number): Float32Array {
  const first = Math.fround(start);
  const step = Math.fround(Math.fround(end - first) / (count - 1));
  const half = Math.floor(count / 2);
  return Float32Array.from({ length: count }, (_, i) => (i < half ? first + step * i : end - step * (count - 1 - i)));
}
