import { HubError } from './errors.js';

/** A file of a repository, as the hub lists it. */
export interface RemoteFile {
  readonly path: string;
  readonly size: number;
  /** SHA-256 of a large file's bytes, or git's SHA-1 of a small one's; its name in the cache. */
  readonly etag: string;
}

/** What a model and its tokenizer read besides weights, where it is there. */
const SMALL_FILES: readonly string[] = [
  ...['config.json', 'generation_config.json', 'preprocessor_config.json', 'adapter_config.json'],
  ...['tokenizer.json', 'tokenizer_config.json', 'special_tokens_map.json', 'added_tokens.json', 'chat_template.jinja'],
  ...['vocab.json', 'vocab.txt', 'merges.txt'],
];

const WEIGHTS = /^(adapter_)?model\.safetensors$/;
const INDEX = 'model.safetensors.index.json';
const SHARD = /^model-\d+-of-\d+\.safetensors$/; // DeepSeek counts them with six digits

/**
 * The files of a repository that a model is loaded from, weights last, so that where they are, all is: one file where
 * there is one, else the shards and their index.
 *
 * @throws HubError if there are no safetensors, with what to do where there is PyTorch's pickle format
 */
export function neededFiles(repository: string, files: readonly RemoteFile[]): RemoteFile[] {
  const small = files.filter(({ path }) => SMALL_FILES.includes(path));
  const single = files.filter(({ path }) => WEIGHTS.test(path));
  if (single.length > 0) return [...small, ...single];
  const index = files.filter(({ path }) => path === INDEX);
  const shards = files.filter(({ path }) => SHARD.test(path));
  if (index.length > 0 && shards.length > 0) return [...small, ...index, ...shards];
  throw new HubError(`${repository}: it must hold weights as safetensors: ${whatItHolds(repository, files)}`);
}

function whatItHolds(repository: string, files: readonly RemoteFile[]): string {
  if (files.some(({ path }) => /^pytorch_model.*\.bin$/.test(path))) {
    return (
      "got PyTorch's pickle format (.bin), which can run code when it is read; ask for revision 'refs/pr/1' or another " +
      'that https://huggingface.co/spaces/safetensors/convert may have made of it, or convert it: ' +
      `hf download ${repository} --local-dir FOLDER, then load FOLDER, and the error gives the command`
    );
  }
  const shown = files.slice(0, 8).map(({ path }) => JSON.stringify(path.slice(0, 80)));
  return `expected model.safetensors, got ${shown.join(', ') || 'no files'}${files.length > 8 ? ', ...' : ''}`;
}
