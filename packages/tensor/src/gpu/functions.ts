import { gpuFunction, type ScalarType } from './kernel.js';

// Elementary functions in gpu.js's subset, for a driver's own may be off by far more than float32 rounds: Vulkan allows
// sin 2^-11 of absolute error, WGSL's tanh may overflow. The polynomials are those of assembly/math.ts, where each is
// explained; errors are the same few ULP.

const X = { x: 'Float' } as const;
const FLOAT: ScalarType = 'Float';

/** The real infinity and a NaN reach kernels as arguments: gpu.js's `Infinity` is the largest float. */
export const SPECIAL = { infinity: 'Float' } as const;

/** `2^e` for whole e in -126 .. 127, exactly; a driver's exp2 may not be. */
export const power2 = gpuFunction(
  `function power2(e) {
    let r = 1;
    let a = Math.abs(e);
    const up = e > 0;
    if (a >= 64) { a = a - 64; if (up) { r = r * 18446744073709551616; } else { r = r * ${2 ** -64}; } }
    if (a >= 32) { a = a - 32; if (up) { r = r * 4294967296; } else { r = r * ${2 ** -32}; } }
    if (a >= 16) { a = a - 16; if (up) { r = r * 65536; } else { r = r * ${2 ** -16}; } }
    if (a >= 8) { a = a - 8; if (up) { r = r * 256; } else { r = r * 0.00390625; } }
    if (a >= 4) { a = a - 4; if (up) { r = r * 16; } else { r = r * 0.0625; } }
    if (a >= 2) { a = a - 2; if (up) { r = r * 4; } else { r = r * 0.25; } }
    if (a >= 1) { if (up) { r = r * 2; } else { r = r * 0.5; } }
    return r;
  }`,
  { e: FLOAT },
  FLOAT,
  { wgsl: 'fn fn_power2(user_e : f32) -> f32 { return bitcast<f32>((i32(user_e) + 127) << 23u); }' },
);

/** `exp(x)`. */
export const exp = gpuFunction(
  `function exponential(x) {
    if (x !== x) { return x; }
    const clamped = Math.max(Math.min(x, 89), -104);
    const n = Math.floor(clamped * 1.44269504088896341 + 0.5);
    const r = (clamped - n * 0.693359375) + n * 0.000212194440;
    let p = 0.00019875691500 * r + 0.0013981999507;
    p = p * r + 0.0083334519073;
    p = p * r + 0.041665795894;
    p = p * r + 0.16666665459;
    p = p * r + 0.50000001201;
    p = p * (r * r) + r + 1;
    const half = Math.floor(n * 0.5);
    return p * power2(half) * power2(n - half);
  }`,
  X,
  FLOAT,
  { calls: [power2] },
);
