/**
 * Who may import whom. Arrows only point down (left may import what is listed), a package is reached only by its
 * name, and files do not import each other in circles. Checked by `pnpm test`; see CONTRIBUTING.md.
 */
const MAY_IMPORT = {
  tensor: [],
  checkpoint: [],
  hub: [],
  tokenizers: ['checkpoint'],
  nn: ['tensor'],
  norm: ['tensor', 'nn'],
  attention: ['tensor', 'nn'],
  ffn: ['tensor', 'nn'],
  models: ['tensor', 'checkpoint', 'hub', 'tokenizers', 'nn', 'norm', 'attention', 'ffn'],
  gguf: ['tensor', 'checkpoint', 'nn'],
  lora: ['tensor', 'checkpoint', 'nn', 'norm'],
  'quant-nf4': ['tensor', 'nn', 'norm'],
  'optim-paged': ['tensor', 'nn', 'norm'],
  trainer: ['tensor', 'checkpoint', 'nn', 'norm', 'optim-paged'],
  testing: ['tensor'],
};

/** One rule a package: its sources may import themselves and the packages below it. */
const layers = Object.entries(MAY_IMPORT).map(([name, below]) => ({
  name: `layer-${name}`,
  comment: `@burin/${name} may import ${below.map((other) => `@burin/${other}`).join(', ') || 'no Burin package'}.`,
  severity: 'error',
  from: { path: `^packages/${name}/src/` },
  to: { path: '^(packages|demo|examples|conformance|bench)/', pathNot: `^packages/(${[name, ...below].join('|')})/` },
}));

module.exports = {
  forbidden: [
    ...layers,
    {
      name: 'only-by-name',
      comment: 'Reach another package by its name, never by a path. Its `exports` then keep its inside private.',
      severity: 'error',
      from: { path: '^(packages/[^/]+|demo|examples|conformance|bench)/' },
      to: { path: '^packages/', pathNot: '^$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'testing-is-for-tests',
      comment: '@burin/testing is private: published sources must not import it.',
      severity: 'error',
      from: { path: '^packages/(?!testing/)[^/]+/src/' },
      to: { path: '^packages/testing/' },
    },
    {
      name: 'no-tests-in-sources',
      comment: 'Sources do not import tests or benchmarks.',
      severity: 'error',
      from: { path: '^packages/[^/]+/src/' },
      to: { path: '/(test|bench)/' },
    },
    {
      name: 'no-cycles',
      comment:
        'Files that import each other in a circle have no order to be read in. Circles of types alone are fine, and so ' +
        'is the one that methods bring: Tensor.add() calls the operation add(), which makes a Tensor.',
      severity: 'error',
      from: {},
      to: {
        circular: true,
        viaOnly: { dependencyTypesNot: ['type-only'], pathNot: '^packages/tensor/src/tensor\\.ts$' },
      },
    },
    {
      name: 'resolvable',
      comment: 'Every import must resolve.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: ['node_modules'] },
    exclude: { path: ['/dist/', '/assembly/', '^bench/peers/'] },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['@burin/source', 'import', 'types', 'node', 'default'],
      extensions: ['.ts', '.mts', '.d.ts', '.mjs', '.js', '.cjs', '.json'],
    },
  },
};
