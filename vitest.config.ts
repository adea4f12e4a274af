import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    projects: [
      'packages/*',
      'packages/tensor/vitest.other-build.config.ts',
      'demo',
      'examples',
      'conformance',
      'bench',
    ],
  },
});
