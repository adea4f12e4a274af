/** What the WebAssembly module exports: kernels over ranges of independent units, and nothing else. */
export * from './binary';
export * from './cast';
export * from './fill';
export * from './gated';
export * from './heap';
export { matmul, matmulScratch, matmulUnits } from './matmul';
export * from './rows';
export * from './strided';
export * from './unary';
export * from './where';
