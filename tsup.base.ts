import { defineConfig } from 'tsup';

/**
 * esbuild turns a class that names itself inside into `var Tensor = class _Tensor`, so that consoles, stacks and messages say
 * `_Tensor`. Both names stand for the same class: the inner one is given the outer one's.
 */
const keepClassNames = {
  name: 'keep-class-names',
  renderChunk(code: string) {
    const names = [...code.matchAll(/^var (\w+) = class _\1\b/gm)].map(([, name]) => `\\b_${name}\\b`);
    return names.length === 0
      ? undefined
      : { code: code.replace(new RegExp(names.join('|'), 'g'), (found) => found.slice(1)) };
  },
};

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
  plugins: [keepClassNames],
});
