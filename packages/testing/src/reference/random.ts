import { type RandomStream, streamUniform } from './philox.js';
import type { Floats } from './types.js';

/** `low + (high − low) · u`, u in [0, 1). */
export function uniform(y: Floats, size: number, low: number, high: number, stream: RandomStream): void {
  for (let i = 0; i < size; i++) y[i] = low + (high - low) * streamUniform(stream, i);
}

/** Box–Muller on neighbouring words: `r = √(−2 ln(u0 + 2⁻²⁵))`, elements `r cos(2π u1)`, `r sin(2π u1)`. */
export function normal(y: Floats, size: number, mean: number, std: number, stream: RandomStream): void {
  for (let i = 0; i < size; i++) {
    const pair = i - (i % 2);
    const r = Math.sqrt(-2 * Math.log(streamUniform(stream, pair) + 2 ** -25));
    const angle = 2 * Math.PI * streamUniform(stream, pair + 1);
    y[i] = mean + std * r * (i % 2 === 0 ? Math.cos(angle) : Math.sin(angle));
  }
}

/** `y = u < p ? 0 : x / (1 − p)`. y may be x. */
export function dropout(x: Floats, y: Floats, size: number, p: number, stream: RandomStream): void {
  for (let i = 0; i < size; i++) y[i] = streamUniform(stream, i) < p ? 0 : x[i]! / (1 - p);
}
