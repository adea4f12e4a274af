import type { ConfigReader } from './config-reader.js';

/** What a layer sees: all tokens, or those near it. */
export type LayerType = 'full_attention' | 'sliding_attention';

const KNOWN = ['full_attention', 'sliding_attention'] as const satisfies LayerType[];

/** `layer_types`, one a layer; null where the key is not there. @throws ConfigError if it is not such a list */
export function layerTypes(config: ConfigReader, layers: number): readonly LayerType[] | null {
  if (!config.has('layer_types')) return null;
  const given = config.raw.layer_types;
  const known = (each: unknown): each is LayerType => KNOWN.some((type) => type === each);
  if (Array.isArray(given) && given.length === layers && given.every(known)) return given;
  throw config.complaint('layer_types', `'full_attention' or 'sliding_attention' for each of the ${layers} layers`);
}
