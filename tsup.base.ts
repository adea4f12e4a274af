import { defineConfig } from 'tsup';

/** How every published package is built: one ES module with its types, for Node and for browsers. */
export const library = defineConfig({
  entry: ['src/index.ts'],
  format: 'esm',
  target: 'es2022',
  platform: 'neutral',
  dts: true,
  sourcemap: true,
  esbuildOptions: (options) => {
    options.sourcesContent = false; // the sources are in the package
  },
  clean: true,
  treeshake: true,
});
