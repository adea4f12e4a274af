/** Numbers for tests: the same for the same seed, and exact in float32, so that all devices start from equal ones. */
export interface SeededRandom {
  /** Uniform in [low, high). */
  uniform(size: number, low?: number, high?: number): Float32Array;
  /** Normal with mean 0. */
  normal(size: number, std?: number): Float32Array;
  /** Whole numbers from `low` to `high − 1`. */
  integers(size: number, low: number, high: number): Int32Array;
}

/** Mulberry32 (T. Ettinger 2017), which shares nothing with the generator under test. */
export function seededRandom(seed: number): SeededRandom {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 15), z | 1);
    z ^= z + Math.imul(z ^ (z >>> 7), z | 61);
    return ((z ^ (z >>> 14)) >>> 0) / 2 ** 32;
  };
  const normal = () => Math.sqrt(-2 * Math.log(1 - next())) * Math.cos(2 * Math.PI * next());
  return {
    uniform: (size, low = 0, high = 1) => new Float32Array(size).map(() => low + (high - low) * next()),
    normal: (size, std = 1) => new Float32Array(size).map(() => std * normal()),
    integers: (size, low, high) => new Int32Array(size).map(() => low + Math.floor((high - low) * next())),
  };
}
