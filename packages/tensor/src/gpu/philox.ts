import type { RandomStream } from '../kernels/random.js';
import { gpuFunction, type ScalarType } from './kernel.js';

/** Scalars that stand for a stream, in the order of `streamScalars`; 32-bit words, sign aside. */
export const STREAM: Readonly<Record<string, ScalarType>> = {
  seedLow: 'Integer',
  seedHigh: 'Integer',
  offsetLow: 'Integer',
  offsetHigh: 'Integer',
};

export function streamScalars({ seedLow, seedHigh, offsetLow, offsetHigh }: RandomStream): number[] {
  return [seedLow, seedHigh, offsetLow, offsetHigh];
}

/**
 * `u` in [0, 1) of element i of a stream: see kernels/random.ts. In WGSL only, which has 32-bit integers: gpu.js has
 * none on GL, where random numbers come from the host (random.ts).
 */
export const philoxUniform = gpuFunction(
  'function philoxUniform(i, seedLow, seedHigh, offsetLow, offsetHigh) { return 0; }',
  { i: 'Integer', ...STREAM },
  'Float',
  {
    wgsl: `fn philoxHigh(a : u32, b : u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let first = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let second = (a & 0xffffu) * (b >> 16u) + (first & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u);
}
fn fn_philoxUniform(user_i : i32, user_seedLow : i32, user_seedHigh : i32, user_offsetLow : i32, user_offsetHigh : i32) -> f32 {
  let block = u32(user_i) >> 2u;
  var c0 = u32(user_offsetLow) + block;
  var c1 = u32(user_offsetHigh) + select(0u, 1u, c0 < block);
  var c2 = 0u;
  var c3 = 0u;
  var k0 = u32(user_seedLow);
  var k1 = u32(user_seedHigh);
  for (var round = 0; round < 10; round++) {
    let high0 = philoxHigh(0xD2511F53u, c0);
    let high1 = philoxHigh(0xCD9E8D57u, c2);
    let low0 = 0xD2511F53u * c0;
    let low1 = 0xCD9E8D57u * c2;
    c0 = high1 ^ c1 ^ k0;
    c1 = low1;
    c2 = high0 ^ c3 ^ k1;
    c3 = low0;
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  let word = array<u32, 4>(c0, c1, c2, c3)[u32(user_i) & 3u];
  return f32(word >> 8u) * 5.9604644775390625e-8;
}`,
  },
);
