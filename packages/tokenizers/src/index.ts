export { ByteTokenizer } from './byte-tokenizer.js';
export { type TextTokenizer, Tokenizer } from './tokenizer.js';
