import type { Tensor } from '@burin/tensor';

/** What older versions of transformers saved though it follows from the config. */
const DERIVED = /(^|\.)(position_ids|rotary_emb\.inv_freq)$/;

/** How the names of a checkpoint may differ from those of the model. */
export interface CheckpointNaming {
  /** The body's field; a checkpoint of the body alone leaves it out of its names. */
  readonly baseModel?: string;
  /** Names that follow from others or are not read. */
  readonly ignored?: RegExp;
}

/**
 * The name in the model of each tensor of a checkpoint. Nothing but the body's prefix is added, and tensors are left out
 * that hold no weights.
 *
 * @param stored - names in the checkpoint
 * @param targets - what the model has
 */
export function modelNames(
  stored: Iterable<string>,
  targets: ReadonlyMap<string, Tensor>,
  { baseModel, ignored }: CheckpointNaming,
): Map<string, string> {
  const weights = [...stored].filter((name) => targets.has(name) || (!DERIVED.test(name) && !ignored?.test(name)));
  const bare = baseModel !== undefined && !weights.some((name) => name.startsWith(`${baseModel}.`));
  const named = (name: string) => (bare && targets.has(`${baseModel}.${name}`) ? `${baseModel}.${name}` : name);
  return new Map(weights.map((name) => [name, named(name)]));
}
