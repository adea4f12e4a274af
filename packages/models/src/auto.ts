import { architectures } from './architectures.js';
import { type LoadOptions, loadPretrained } from './load-pretrained.js';

/** Any model of this package. */
export type AnyModel = ReturnType<ReturnType<typeof architectures>[number]['fromConfig']>;

/**
 * Reads a Hugging Face folder as whatever config.json's `architectures` says.
 *
 * @throws ConfigError that lists the architectures that are known; else see {@link loadPretrained}
 * @example
 * const model = await fromPretrained('models/bert-base');
 */
export function fromPretrained(folder: string, options?: LoadOptions): Promise<AnyModel> {
  return loadPretrained<AnyModel>(folder, architectures(), options);
}
