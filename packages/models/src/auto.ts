import type { FolderSource } from '@burin/checkpoint';
import { architectures } from './architectures.js';
import { type LoadOptions, loadPretrained } from './load-pretrained.js';

/** Any model of this package. */
export type AnyModel = ReturnType<ReturnType<typeof architectures>[number]['fromConfig']>;

/**
 * Reads a Hugging Face folder, or a model of the hub, as whatever config.json's `architectures` says.
 *
 * @throws ConfigError that lists the architectures that are known; else see {@link loadPretrained}
 * @returns one of many classes: `instanceof` says which, and {@link canGenerate} whether `generate` takes it
 * @example
 * const model = await fromPretrained('models/bert-base');
 * const same = await fromPretrained('google-bert/bert-base-uncased', { revision: 'main' });
 */
export function fromPretrained(nameOrFolder: FolderSource, options?: LoadOptions): Promise<AnyModel> {
  return loadPretrained<AnyModel>(nameOrFolder, architectures(), options);
}
