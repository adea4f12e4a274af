import type { HeadStrides } from './attention.js';
import type { Floats } from './types.js';

/** The fields of @burin/tensor's RopeArguments. */
export interface RopeArguments {
  x: Floats;
  y: Floats;
  positions: Int32Array; // [batch, tokens]
  cos: Floats; // [tableRows, rotaryDim / 2]
  sin: Floats;
  strides: HeadStrides;
  batch: number;
  heads: number;
  tokens: number;
  headDim: number;
  rotaryDim: number;
  interleaved: boolean;
  inverse: boolean;
  tableRows: number;
}

/**
 * Turns each pair (x₁, x₂) by the angle of its position; `inverse` turns back, which is also the gradient.
 * Su et al. 2021, https://arxiv.org/abs/2104.09864.
 *
 *     y₁ = x₁ cos − x₂ sin      y₂ = x₁ sin + x₂ cos
 */
export function rope(args: RopeArguments): void {
  const { x, y, positions, cos, sin, strides, headDim, rotaryDim, interleaved, inverse } = args;
  const half = rotaryDim / 2;
  for (let b = 0; b < args.batch; b++) {
    for (let h = 0; h < args.heads; h++) {
      for (let t = 0; t < args.tokens; t++) {
        const start = b * strides.batch + h * strides.head + t * strides.token;
        const tableRow = positions[b * args.tokens + t]! * half;
        for (let pair = 0; pair < half; pair++) {
          const first = start + (interleaved ? 2 * pair : pair);
          const second = start + (interleaved ? 2 * pair + 1 : pair + half);
          const c = cos[tableRow + pair]!;
          const s = inverse ? -sin[tableRow + pair]! : sin[tableRow + pair]!;
          const [x1, x2] = [x[first]!, x[second]!];
          y[first] = x1 * c - x2 * s;
          y[second] = x1 * s + x2 * c;
        }
        for (let d = rotaryDim; d < headDim; d++) y[start + d] = x[start + d]!;
      }
    }
  }
}
