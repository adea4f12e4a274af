export { type AdapterGgufOptions, saveAdapterGguf } from './adapter.js';
export type { RawConfig } from './config.js';
export { GgufError } from './errors.js';
export { type ExportableTokenizer, type GgufOptions, saveGguf } from './model.js';
export type { GgufType } from './tensor-type.js';
export type { ConfiguredModel, ExportableModel } from './weight-source.js';
export type { GgufFile } from './write-gguf.js';
