import { exponentOf, infinite, isNan, power2 } from './functions.js';
import { type GpuFunction, gpuFunction } from './kernel.js';

const X = { x: 'Float' } as const;

/** To whole numbers, ties to even: x is less than 2^23. */
const nearestEven = gpuFunction(
  `function nearestEven(x) {
    const low = Math.floor(x);
    const rest = x - low;
    if (rest < 0.5) { return low; }
    if (rest > 0.5) { return low + 1; }
    return 2 * Math.floor(low * 0.5 + 0.5);
  }`,
  X,
  'Float',
);

/** Rounds to `bits` of precision, ties to even, by exact steps: the float stays a float32 with fewer digits. */
function roundedTo(name: string, bits: number, lowestExponent: number, largest: number): GpuFunction {
  return gpuFunction(
    `function ${name}(x) {
      if (isNan(x) > 0) { return x; }
      const size = Math.abs(x);
      if (size > 3.4028234e38) { return x; }
      if (size < ${2 ** -126}) { return x; }
      const unit = Math.max(exponentOf(size), ${lowestExponent}) - ${bits - 1};
      const half = Math.floor(unit * 0.5);
      const scaled = size * power2(-half) * power2(half - unit);
      let y = nearestEven(scaled) * power2(half) * power2(unit - half);
      if (y > ${largest}) { y = infinite(y); }
      if (x < 0) { return -y; }
      return y;
    }`,
    X,
    'Float',
    { calls: [isNan, power2, exponentOf, infinite, nearestEven] },
  );
}

/** To float16: 11 bits, none below 2^-24, infinity beyond 65504. */
export const toFloat16 = roundedTo('toFloat16', 11, -14, 65504);

/** To bfloat16: 8 bits; the largest is (2 − 2^-7) · 2^127. */
export const toBfloat16 = roundedTo('toBfloat16', 8, -126, 3.3895313892515355e38);

/** Towards zero, saturating; NaN gives 0. A float32 holds whole numbers to 2^24 only, but all of these. */
export const toInteger = gpuFunction(
  `function toInteger(x, low, high) {
    if (isNan(x) > 0) { return 0; }
    const y = Math.floor(Math.abs(x));
    if (x < 0) { return Math.max(-y, low); }
    return Math.min(y, high);
  }`,
  { ...X, low: 'Float', high: 'Float' },
  'Float',
  { calls: [isNan] },
);
