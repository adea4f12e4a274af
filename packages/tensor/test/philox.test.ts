import { describe, expect, it } from 'vitest';
import { createEngine } from '../src/cpu/engine.js';
import { CpuDevice } from '../src/cpu/index.js';

const engine = createEngine();

function philox(key: readonly number[], counter: readonly number[]): string {
  const y = engine.workspace(16);
  engine.exports.philoxWords(y, key[0]!, key[1]!, counter[0]!, counter[1]!, counter[2]!, counter[3]!);
  return [...new Uint32Array(engine.memory.buffer, y, 4)].map((word) => word.toString(16).padStart(8, '0')).join(' ');
}

describe('Philox 4x32-10', () => {
  // kat_vectors of Random123 1.14: counter and key, then the four words
  it('gives the known answers of Random123', () => {
    const ones = 0xffffffff;
    expect(philox([0, 0], [0, 0, 0, 0])).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    expect(philox([ones, ones], [ones, ones, ones, ones])).toBe('408f276d 41c83b0e a20bc7c6 6d5451fd');
    const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
    expect(philox([0xa4093822, 0x299f31d0], pi)).toBe('d16cfe09 94fdcceb 5001e420 24126ea1');
  });

  it('numbers its words from the offset, with a carry into the high half', async () => {
    const device = new CpuDevice();
    const [size, offsetLow, offsetHigh] = [39, 0xfffffffe, 6]; // counter 2 is (0, 7)
    const y = device.memory.allocate(size * 4);
    device.kernels.uniform(y, size, 0, 1, { seedLow: 123, seedHigh: 456, offsetLow, offsetHigh });
    const numbers = new Float32Array(device.readNow(y).buffer);
    for (let i = 0; i < size; i++) {
      const counter = (BigInt(offsetHigh) << 32n) + BigInt(offsetLow) + BigInt(i >> 2);
      const words = philox([123, 456], [Number(counter & 0xffffffffn), Number(counter >> 32n), 0, 0]).split(' ');
      expect(numbers[i], `number ${i}`).toBe((Number.parseInt(words[i % 4]!, 16) >>> 8) * 2 ** -24);
    }
  });
});
