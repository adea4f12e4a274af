import { seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../src/index.js';

// A product with few rows turns the codes of a 4-bit weight into an order of its own, where they lie.

const [N, K] = [160, 192];
const random = seededRandom(1);
const CODES = Uint8Array.from(random.integers((N * K) / 2, 0, 256));
const SCALES = random.uniform((N * K) / 64, 0.5, 2);
const X = random.uniform(6 * K, -1, 1);

function weightOn(device: CpuDevice) {
  const buffer = (bytes: Uint8Array) => {
    const made = device.memory.allocate(bytes.length);
    device.write(made, bytes);
    return made;
  };
  const floats = (count: number) => device.memory.allocate(4 * count);
  const [packed, absmax] = [buffer(CODES), buffer(new Uint8Array(SCALES.buffer.slice(0)))];
  const [x, y, dense] = [buffer(new Uint8Array(X.buffer.slice(0))), floats(6 * N), floats(N * K)];
  const nested = { absmaxCodes: null, nestedAbsmax: null, nestedCode: null, nestedOffset: 0, nestedBlockSize: 256 };
  const weight = { type: 'nf4', packed, size: N * K, blockSize: 64, absmax, ...nested } as const;
  return {
    packed,
    /** x times the weight, as if it were [n, N · K / n]. */
    product(m: number, n = N) {
      device.kernels.matmul4bit(x, weight, null, y, m, n, (N * K) / n, false, false);
      return device.readNow(y, 0, 4 * m * n);
    },
    dequantized() {
      device.kernels.dequantize4bit(weight, dense);
      return device.readNow(dense);
    },
  };
}

describe('4-bit codes in tiles', () => {
  it('are as they were for all who read, write or decode them', () => {
    const device = new CpuDevice({ threads: 1, blas: 'off' });
    const { packed, product, dequantized } = weightOn(device);
    const [many, dense, few] = [product(6), dequantized(), product(1)]; // few rows last: they turn the codes
    for (let round = 0; round < 2; round++) {
      expect(product(1)).toEqual(few);
      expect(device.readNow(packed)).toEqual(CODES);
      expect(product(1)).toEqual(few);
      expect(dequantized()).toEqual(dense);
      expect(product(1)).toEqual(few);
      expect(product(6)).toEqual(many);
      expect(product(1)).toEqual(few);
      device.write(packed, CODES.subarray(3, 9), 3);
      expect(product(1)).toEqual(few);
    }
    device.dispose();
  });

  it('are turned anew for a matrix of another width', () => {
    const device = new CpuDevice({ threads: 1, blas: 'off' });
    const { packed, product } = weightOn(device);
    const [narrow, wide] = [product(1, 480), product(1, 160)];
    expect(product(1, 480)).toEqual(narrow);
    expect(product(1, 160)).toEqual(wide);
    expect(device.readNow(packed)).toEqual(CODES);
    device.dispose();
  });

  it('may be freed in that order', () => {
    const device = new CpuDevice({ threads: 1, blas: 'off' });
    const { packed, product } = weightOn(device);
    product(1);
    device.memory.free(packed);
    expect(() => product(1)).toThrow('freed before');
    device.dispose();
  });
});
