/**
 * float16 and bfloat16 as 16 bits, written out from the definition of a binary floating point number (IEEE 754).
 *
 *     | format   | sign | exponent | fraction | bias |
 *     | float16  |    1 |        5 |       10 |   15 |
 *     | bfloat16 |    1 |        8 |        7 |  127 |
 */
interface Format {
  readonly exponentBits: number;
  readonly fractionBits: number;
}

const FORMATS: Readonly<Record<'float16' | 'bfloat16', Format>> = {
  float16: { exponentBits: 5, fractionBits: 10 },
  bfloat16: { exponentBits: 8, fractionBits: 7 },
};

/** The number that `bits` stand for. */
export function decodeHalf(dtype: 'float16' | 'bfloat16', bits: number): number {
  const { exponentBits, fractionBits } = FORMATS[dtype];
  const bias = 2 ** (exponentBits - 1) - 1;
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits & 0x7fff) >> fractionBits;
  const fraction = (bits & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  if (exponent === 2 ** exponentBits - 1) return fraction === 0 ? sign * Infinity : NaN;
  if (exponent === 0) return sign * fraction * 2 ** (1 - bias);
  return sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** The bits nearest to `value`, ties to even; overflow gives infinity, NaN a quiet NaN. */
export function encodeHalf(dtype: 'float16' | 'bfloat16', value: number): number {
  const { exponentBits, fractionBits } = FORMATS[dtype];
  const bias = 2 ** (exponentBits - 1) - 1;
  const infinity = (2 ** exponentBits - 1) << fractionBits;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  if (Number.isNaN(value)) return infinity | (1 << (fractionBits - 1));
  if (!Number.isFinite(value)) return sign | infinity;

  const magnitude = Math.abs(value);
  const exponent = Math.max(floorLog2(magnitude), 1 - bias);
  const steps = roundHalfEven(magnitude / 2 ** (exponent - fractionBits));
  // A step count of 2^(fractionBits + 1) carries into the exponent by itself, up to infinity.
  const bits = (exponent + bias - 1) * 2 ** fractionBits + steps;
  return sign | Math.min(bits, infinity);
}

/** `value` as the format can hold it. */
export function roundToHalf(dtype: 'float16' | 'bfloat16', value: number): number {
  return decodeHalf(dtype, encodeHalf(dtype, value));
}

function floorLog2(magnitude: number): number {
  if (magnitude === 0) return -Infinity;
  let exponent = Math.floor(Math.log2(magnitude)); // log2 may round across a power of two
  if (2 ** exponent > magnitude) exponent--;
  if (2 ** (exponent + 1) <= magnitude) exponent++;
  return exponent;
}

function roundHalfEven(x: number): number {
  const below = Math.floor(x);
  const rest = x - below;
  if (rest !== 0.5) return rest < 0.5 ? below : below + 1;
  return below % 2 === 0 ? below : below + 1;
}
