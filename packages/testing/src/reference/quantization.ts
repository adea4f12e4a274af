import { CODES_4BIT } from './code-tables.js';
import type { Floats } from './types.js';

/** The fields of @burin/tensor's FourBitWeight. */
export interface FourBitWeight {
  type: 'nf4' | 'fp4';
  packed: Uint8Array;
  size: number;
  blockSize: number;
  absmax: Floats | null;
  absmaxCodes: Uint8Array | null;
  nestedAbsmax: Floats | null;
  nestedCode: Floats | null;
  nestedOffset: number;
  nestedBlockSize: number;
}

/**
 * Packs x into 4-bit codes, the first of a pair in the high nibble, and one absmax a block. The code is the nearest to
 * `x / absmax` in float32, ties to the lower number; a block of zeros, and the partner of an odd last element, take the
 * code of 0.
 */
export function quantize4bit(
  type: 'nf4' | 'fp4',
  x: Floats,
  packed: Uint8Array,
  absmax: Floats,
  size: number,
  blockSize: number,
): void {
  const codeOf = (i: number) => {
    if (i >= size) return nearestCode(CODES_4BIT[type], 0);
    return nearestCode(CODES_4BIT[type], scaled(x[i]!, absmax[Math.floor(i / blockSize)]!));
  };
  writeAbsmax(x, absmax, size, blockSize);
  for (let byte = 0; byte < Math.ceil(size / 2); byte++) packed[byte] = codeOf(2 * byte) * 16 + codeOf(2 * byte + 1);
}

/** `y[i] = code[i] · scale[floor(i / blockSize)]`. */
export function dequantize4bit(weight: FourBitWeight, y: Floats): void {
  for (let i = 0; i < weight.size; i++) y[i] = value4bit(weight, i);
}

/** Nearest entry of the sorted `code` [256] to x / absmax of its block; ties to the lower entry. */
export function quantize8bit(
  x: Floats,
  code: Floats,
  codes: Uint8Array,
  absmax: Floats,
  size: number,
  blockSize: number,
): void {
  writeAbsmax(x, absmax, size, blockSize);
  for (let i = 0; i < size; i++) codes[i] = nearestCode(code, scaled(x[i]!, absmax[Math.floor(i / blockSize)]!));
}

/** `y[i] = code[codes[i]] · absmax[block] + offset`. */
export function dequantize8bit(
  codes: Uint8Array,
  code: Floats,
  absmax: Floats,
  y: Floats,
  size: number,
  blockSize: number,
  offset: number,
): void {
  for (let i = 0; i < size; i++) y[i] = code[codes[i]!]! * absmax[Math.floor(i / blockSize)]! + offset;
}

/**
 * W is `[outFeatures, inFeatures]` in 4 bits. Forward: `y[m, out] = x[m, in] · Wᵀ (+ bias)`. Input gradient (`transpose`):
 * `y[m, in] = x[m, out] · W`. Adds to y if `accumulate`.
 */
export function matmul4bit(
  x: Floats,
  weight: FourBitWeight,
  bias: Floats | null,
  y: Floats,
  m: number,
  outFeatures: number,
  inFeatures: number,
  transpose: boolean,
  accumulate: boolean,
): void {
  const n = transpose ? inFeatures : outFeatures;
  const k = transpose ? outFeatures : inFeatures;
  for (let row = 0; row < m; row++) {
    for (let col = 0; col < n; col++) {
      let sum = (bias ? bias[col]! : 0) + (accumulate ? y[row * n + col]! : 0);
      for (let p = 0; p < k; p++) {
        const [out, input] = transpose ? [p, col] : [col, p];
        sum += x[row * k + p]! * value4bit(weight, out * inFeatures + input);
      }
      y[row * n + col] = sum;
    }
  }
}

function value4bit(weight: FourBitWeight, i: number): number {
  const byte = weight.packed[Math.floor(i / 2)]!;
  const code = i % 2 === 0 ? byte >> 4 : byte & 15;
  return CODES_4BIT[weight.type][code]! * blockScale(weight, Math.floor(i / weight.blockSize));
}

/** Plain: `absmax[j]`. Double: `nestedCode[absmaxCodes[j]] · nestedAbsmax[floor(j / nestedBlockSize)] + nestedOffset`. */
function blockScale(weight: FourBitWeight, j: number): number {
  if (weight.absmax) return weight.absmax[j]!;
  const { absmaxCodes, nestedAbsmax, nestedCode, nestedOffset, nestedBlockSize } = weight;
  return nestedCode![absmaxCodes![j]!]! * nestedAbsmax![Math.floor(j / nestedBlockSize)]! + nestedOffset;
}

function writeAbsmax(x: Floats, absmax: Floats, size: number, blockSize: number): void {
  for (let block = 0; block < Math.ceil(size / blockSize); block++) {
    let largest = 0;
    for (let i = block * blockSize; i < Math.min((block + 1) * blockSize, size); i++) {
      largest = Math.max(largest, Math.abs(x[i]!));
    }
    absmax[block] = largest;
  }
}

/** In float32, as the format's bytes are defined by float32 arithmetic. */
function scaled(value: number, absmax: number): number {
  return absmax === 0 ? 0 : Math.fround(value / absmax);
}

/** The code whose number is nearest; of two equally near, the one with the lower number, then the lower code. */
function nearestCode(table: Floats, value: number): number {
  let best = 0;
  for (let code = 1; code < table.length; code++) {
    const [distance, bestDistance] = [Math.abs(table[code]! - value), Math.abs(table[best]! - value)];
    const isTie = distance === bestDistance;
    if (distance < bestDistance || (isTie && table[code]! < table[best]!)) best = code;
  }
  return best;
}
