import { defineProject } from 'vitest/config';
import { project } from '../../vitest.base.js';
import { hasRelaxedSimd } from './src/cpu/simd.js';

/**
 * What the kernels compute, once more with the build that the other tests do not use: the plain one where the engine has
 * relaxed SIMD; else the relaxed one in processes of `node --experimental-wasm-relaxed-simd`.
 */
const otherBuild = hasRelaxedSimd()
  ? { env: { BURIN_SIMD: 'plain' } }
  : { env: { BURIN_SIMD: 'relaxed' }, execArgv: ['--experimental-wasm-relaxed-simd'] };

const base = project('tensor, other build');

export default defineProject({
  ...base,
  test: {
    ...base.test,
    ...otherBuild,
    pool: 'forks',
    include: ['test/kernels/*.test.ts', 'test/{math,products,engine,simd,threads,unit-ranges}.test.ts'],
    typecheck: { enabled: false },
  },
});
