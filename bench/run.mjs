// Runs a program of bench/src: node bench/run.mjs main|against-torch [OPTIONS]
//
// It is bundled first, because what runs sources (tsx) names every function when it is made: that doubled the cost of an
// operation. The packages are published the way they are bundled here.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const [program] = process.argv.splice(2, 1);
const folder = (path) => fileURLToPath(new URL(path, import.meta.url));

await build({
  entryPoints: [folder('src/main.ts'), folder('src/against-torch.ts')],
  outdir: folder('dist'),
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  conditions: ['@burin/source'],
  external: ['gpu.js'],
  logLevel: 'warning',
});
await import(`./dist/${program}.js`);
