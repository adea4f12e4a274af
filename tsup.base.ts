import { defineConfig } from 'tsup';

/** How every published package is built: one ES module with its types, for Node and for browsers. */
export const library = defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  dts: true,
  sourcemap: true,
  clean: true,
  treeshake: true,
});
