import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';

// Two entries over shared chunks, so that a DeviceError or the CPU device is the same to both. No source maps: they would
// take the package beyond 300 kB, and what is built reads well without.
export default defineConfig({
  ...library,
  entry: { index: 'src/index.ts', 'gpu/index': 'src/gpu/index.ts' },
  splitting: true,
  sourcemap: false,
});
