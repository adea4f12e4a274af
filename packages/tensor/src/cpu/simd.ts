import { DeviceError } from '../errors.js';
import { environmentVariable } from './environment.node.js';

/**
 * The builds of the kernels. `relaxed` multiplies and adds in one instruction, rounding once, where the processor can;
 * `plain` takes two.
 */
export type Simd = 'plain' | 'relaxed';

/** `(func (param v128 v128 v128) (result v128) (f32x4.relaxed_madd (local.get 0) (local.get 1) (local.get 2)))` */
const PROBE = [
  ...[0, 97, 115, 109, 1, 0, 0, 0], // magic number and version
  ...[1, 8, 1, 96, 3, 123, 123, 123, 1, 123], // a type of three v128 to one
  ...[3, 2, 1, 0], // a function of this type
  ...[10, 13, 1, 11, 0, 32, 0, 32, 1, 32, 2, 253, 133, 2, 11], // its code
];

/** Whether this engine has relaxed SIMD. Node 20 has it where started with `--experimental-wasm-relaxed-simd`. */
export function hasRelaxedSimd(): boolean {
  return WebAssembly.validate(Uint8Array.from(PROBE));
}

/**
 * The build to use where nobody says: what the environment variable BURIN_SIMD names, else the best that there is.
 *
 * @throws RangeError if BURIN_SIMD is set to something else than `plain` or `relaxed`
 * @throws DeviceError if it names `relaxed` and the engine does not have it
 */
export function defaultSimd(): Simd {
  const wanted = environmentVariable('BURIN_SIMD');
  if (wanted !== undefined) return checkSimd('BURIN_SIMD', wanted);
  return hasRelaxedSimd() ? 'relaxed' : 'plain';
}

/** Throws as `defaultSimd`, with `who` for the variable. */
export function checkSimd(who: string, simd: string): Simd {
  if (simd !== 'plain' && simd !== 'relaxed') {
    throw new RangeError(`cpu: ${who} must be plain or relaxed, got ${simd}`);
  }
  if (simd === 'relaxed' && !hasRelaxedSimd()) {
    throw new DeviceError(
      `cpu: ${who} is relaxed, but this engine has no relaxed SIMD; ` +
        'use Node 22 or later, or start Node 20 with --experimental-wasm-relaxed-simd',
    );
  }
  return simd;
}
