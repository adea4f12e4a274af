import { Buffer } from 'node:buffer';
import { describe, expect, it } from 'vitest';
import type { DType } from '../src/dtype.js';
import { bytesOf, floatsOf } from '../src/gpu/host-bytes.js';

const CASES: [DType, number[]][] = [
  ['float32', [1.5, -2.5, 1e-3].map(Math.fround)],
  ['float16', [1.5, -2.5, 65504]],
  ['bfloat16', [1.5, -2.5, 256]],
  ['int32', [7, -1, 2 ** 24]],
  ['uint8', [7, 0, 255]],
];

describe('bytes for a GPU', () => {
  it.each(CASES)('%s become floats wherever they lie, in a Buffer too', (dtype, values) => {
    const bytes = bytesOf(dtype, Float32Array.from(values));
    for (let offset = 0; offset < 5; offset++) {
      const file = new Uint8Array(offset + bytes.length + 3).fill(0xee);
      file.set(bytes, offset);
      for (const whole of [file, Buffer.from(file), Buffer.from(file.buffer)]) {
        expect([...floatsOf(dtype, whole.subarray(offset, offset + bytes.length))]).toEqual(values);
      }
    }
  });
});
