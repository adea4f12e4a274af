import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: { projects: ['packages/*', 'demo', 'conformance', 'bench'] },
});
