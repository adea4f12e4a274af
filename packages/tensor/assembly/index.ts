/** What the WebAssembly module exports: kernels over ranges of independent units, and nothing else. */
export * from './binary';
export * from './gated';
export * from './heap';
export * from './unary';
export * from './where';
