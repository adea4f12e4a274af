import { fileURLToPath } from 'node:url';
import { playwright } from '@vitest/browser-playwright';
import { defineConfig } from 'vitest/config';

/**
 * The tests of the kernels, as they are, and those of this folder, in a headless Chromium that is on the machine.
 *
 *     BURIN_GPU=webgl2|webgpu [BURIN_CHROMIUM=/usr/bin/chromium] npx vitest run --config browser/vitest.config.ts
 */
const BACKEND = process.env.BURIN_GPU ?? 'webgl2';
const CHROMIUM = process.env.BURIN_CHROMIUM ?? '/usr/bin/chromium';

/** Software rendering for both, so that it needs no GPU; and no calls home, which a closed network refuses. */
const FLAGS = [
  ...['--enable-unsafe-webgpu', '--use-webgpu-adapter=swiftshader', '--use-angle=swiftshader'],
  ...['--enable-unsafe-swiftshader', '--no-sandbox', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

/** What the tokenizers package takes from others. */
const TOKENIZERS = ['jinja', 'tokenizers'].map((name) => `@burin/models > @burin/tokenizers > @huggingface/${name}`);

export default defineConfig({
  root: fileURLToPath(new URL('.', import.meta.url)),
  resolve: {
    conditions: ['@burin/source', 'module', 'browser', 'development|production'],
    alias: { 'node:fs': fileURLToPath(new URL('./src/no-files.ts', import.meta.url)) },
  },
  define: {
    'process.env.BURIN_GPU': JSON.stringify(BACKEND),
    'process.env.BURIN_GPU_ONLY': '"1"',
  },
  optimizeDeps: {
    include: ['gpu.js', 'fast-check', '@fast-check/vitest', ...TOKENIZERS], // else found late, and the page reloads
  },
  test: {
    name: `browser (${BACKEND})`,
    include: ['test/*.test.ts', '../packages/tensor/test/kernels/*.test.ts'],
    exclude: ['../packages/tensor/test/kernels/golden-*.test.ts'], // these read fixtures from files
    testTimeout: 120_000,
    fileParallelism: false,
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: { executablePath: CHROMIUM, args: FLAGS } }),
      instances: [{ browser: 'chromium' }],
    },
  },
});
