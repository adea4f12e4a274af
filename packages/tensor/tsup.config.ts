import { defineConfig } from 'tsup';
import { library } from '../../tsup.base.js';

// Two entries over shared chunks, so that a DeviceError or the CPU device is the same to both. The package stays below
// 300 kB: no source maps, and so no src (package.json). Types without what is @internal hold in a project whose `lib` is that
// of the language alone.
export default defineConfig({
  ...library,
  entry: { index: 'src/index.ts', 'gpu/index': 'src/gpu/index.ts' },
  splitting: true,
  sourcemap: false,
  dts: { compilerOptions: { stripInternal: true } },
});
