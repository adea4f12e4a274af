import { defineProject, mergeConfig } from 'vitest/config';
import { project } from '../../vitest.base.js';
import { hasRelaxedSimd } from './src/cpu/simd.js';

/**
 * What the kernels compute, once more with the build that the other tests do not use: the plain one where the engine has
 * relaxed SIMD; else the relaxed one in processes of `node --experimental-wasm-relaxed-simd`.
 */
const otherBuild = hasRelaxedSimd()
  ? { env: { BURIN_SIMD: 'plain' } }
  : { env: { BURIN_SIMD: 'relaxed' }, execArgv: ['--experimental-wasm-relaxed-simd'] };

export default mergeConfig(
  project('tensor, other build'),
  defineProject({
    test: {
      pool: 'forks',
      ...otherBuild,
      typecheck: { enabled: false },
    },
  }),
);
