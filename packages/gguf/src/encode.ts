import { fromFloat32 } from '@burin/checkpoint';
import { type GgufType, TYPES } from './tensor-type.js';

const BLOCK = 32; // elements that share a scale

/**
 * Numbers as ggml stores them, little-endian.
 *
 * @param values - whole blocks: a multiple of 32 for Q8_0 and Q4_0
 */
export function encode(values: Float32Array, type: GgufType): Uint8Array {
  switch (type) {
    case 'F32':
    case 'F16':
      return fromFloat32(values, type);
    case 'Q8_0':
      return quantizeQ8(values);
    case 'Q4_0':
      return quantizeQ4(values);
  }
}

/**
 * Q8_0: `value[i] = d · q[i]`, bit for bit as ggml's `quantize_row_q8_0_ref`.
 *
 *     bytes 0-1    d, float16: the largest |value| of the block / 127
 *     bytes 2-33   q, int8: value / d, rounded half away from zero
 */
function quantizeQ8(values: Float32Array): Uint8Array {
  const { blockBytes } = TYPES.Q8_0;
  const blocks = values.length / BLOCK;
  const scales = new Float32Array(blocks);
  const bytes = new Uint8Array(blocks * blockBytes);
  for (let b = 0; b < blocks; b++) {
    const start = b * BLOCK;
    let largest = 0;
    for (let i = start; i < start + BLOCK; i++) largest = Math.max(largest, Math.abs(values[i]!));
    const d = Math.fround(largest / 127);
    const inverse = d === 0 ? 0 : Math.fround(1 / d);
    scales[b] = d;
    for (let i = 0; i < BLOCK; i++) {
      bytes[b * blockBytes + 2 + i] = roundAway(Math.fround(values[start + i]! * inverse));
    }
  }
  return withScales(bytes, scales, blockBytes);
}

/**
 * Q4_0: `value[i] = d · (q[i] − 8)`, bit for bit as ggml's `quantize_row_q4_0_ref`.
 *
 *     bytes 0-1    d, float16: the value of largest magnitude, with its sign, / −8
 *     bytes 2-17   q, 4 bits each: low nibbles are elements 0-15, high nibbles 16-31; ⌊value / d + 8.5⌋, at most 15
 */
function quantizeQ4(values: Float32Array): Uint8Array {
  const { blockBytes } = TYPES.Q4_0;
  const blocks = values.length / BLOCK;
  const scales = new Float32Array(blocks);
  const bytes = new Uint8Array(blocks * blockBytes);
  for (let b = 0; b < blocks; b++) {
    const start = b * BLOCK;
    let extreme = 0;
    for (let i = start; i < start + BLOCK; i++) if (Math.abs(values[i]!) > Math.abs(extreme)) extreme = values[i]!;
    const d = Math.fround(extreme / -8);
    const inverse = d === 0 ? 0 : Math.fround(1 / d);
    scales[b] = d;
    const code = (i: number) => Math.min(15, Math.trunc(Math.fround(Math.fround(values[start + i]! * inverse) + 8.5)));
    for (let i = 0; i < BLOCK / 2; i++) bytes[b * blockBytes + 2 + i] = code(i) | (code(i + BLOCK / 2) << 4);
  }
  return withScales(bytes, scales, blockBytes);
}

/** C's `roundf`: halves go away from zero. */
function roundAway(value: number): number {
  return value < 0 ? -Math.floor(0.5 - value) : Math.floor(value + 0.5);
}

/** Puts each block's scale, as float16, before its codes. */
function withScales(bytes: Uint8Array, scales: Float32Array, blockBytes: number): Uint8Array {
  const halves = fromFloat32(scales, 'F16');
  for (let b = 0; b < scales.length; b++) bytes.set(halves.subarray(2 * b, 2 * b + 2), b * blockBytes);
  return bytes;
}
