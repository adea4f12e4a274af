/** A model or adapter that cannot be written as GGUF. The message names the file, key or tensor. */
export class GgufError extends Error {
  override readonly name = 'GgufError';
}
