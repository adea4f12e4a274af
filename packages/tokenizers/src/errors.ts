/** A tokenizer.json, a chat template or a text to train on that cannot be used as asked. The message names it. */
export class TokenizerError extends Error {
  override readonly name = 'TokenizerError';
}
