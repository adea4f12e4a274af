import { defineProject } from 'vitest/config';

/** Resolve workspace packages to their source, so that no test ever reads an old build. */
const conditions = ['@burin/source', 'module', 'node', 'development|production'];

/** The tests of one workspace folder: `test/*.test.ts`, and its type tests `test/*.test-d.ts`. */
export function project(name: string) {
  return defineProject({
    ssr: { resolve: { conditions, externalConditions: ['@burin/source', 'node'] } },
    test: {
      name,
      environment: 'node',
      testTimeout: 30_000, // two busy cores are slow; a hang is still found
      expect: { poll: { timeout: 20_000 } }, // the same: it is a second where nobody says
      include: ['test/**/*.test.ts'],
      benchmark: { include: ['bench/**/*.bench.ts'] },
      // Errors in other files are reported by `check`; here only the type tests themselves count.
      typecheck: { enabled: true, include: ['test/**/*.test-d.ts'], ignoreSourceErrors: true },
    },
  });
}
