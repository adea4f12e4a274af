import type { DeviceBuffer } from '../device.js';

/**
 * A place in the stream of Philox 4x32-10 (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405): the key is the
 * seed, the counter is `offset + floor(i / 4)`, element i takes word `i mod 4`. All four are unsigned 32-bit.
 * The counter's words are (offsetLow + …, offsetHigh + carry, 0, 0).
 */
export interface RandomStream {
  seedLow: number;
  seedHigh: number;
  offsetLow: number;
  offsetHigh: number;
}

/** Random numbers, drawn where they are needed. */
export interface RandomKernels {
  /** `low + (high − low) · u`, `u = floor(word / 2⁸) · 2⁻²⁴` in [0, 1). */
  uniform(y: DeviceBuffer, size: number, low: number, high: number, stream: RandomStream): void;

  /**
   * Box–Muller on neighbouring words (w0, w1): `r = √(−2 ln(u0 + 2⁻²⁵))`, elements `r cos(2π u1)`, `r sin(2π u1)`,
   * then `mean + std · z`.
   */
  normal(y: DeviceBuffer, size: number, mean: number, std: number, stream: RandomStream): void;

  /** `y = u < p ? 0 : x / (1 − p)`; the gradient is the same kernel applied to g. y may be x. */
  dropout(x: DeviceBuffer, y: DeviceBuffer, size: number, p: number, stream: RandomStream): void;
}
