import type { ConfigReader } from './config-reader.js';

/** Most layers of a model; the largest that are known have a few hundred. */
const MOST_LAYERS = 10_000;

/** How many layers there are. */
export function layerCount(config: ConfigReader, key: string, fallback?: number): number {
  const layers = config.integer(key, fallback);
  if (layers > MOST_LAYERS) throw config.complaint(key, `at most ${MOST_LAYERS}`);
  return layers;
}

/** One id or several, as generation stops at any of them; `fallback` where the key is not there, nothing where it is null. */
export function tokenIds(config: ConfigReader, key: string, fallback?: number): number[] {
  const value = (config.raw[key] === undefined ? fallback : config.raw[key]) ?? [];
  const ids: unknown[] = Array.isArray(value) ? value : [value];
  if (ids.every((id): id is number => Number.isInteger(id) && (id as number) >= 0)) return ids;
  throw config.complaint(key, 'a token id or a list of them');
}

/** `num_labels`, or the number of names in `id2label`; where neither is given 2, as in transformers, or `fallback`. */
export function numLabels(config: ConfigReader, fallback = 2): number {
  const names = config.raw.id2label;
  if (!config.has('id2label')) return config.integer('num_labels', fallback);
  const count = typeof names === 'object' && !Array.isArray(names) ? Object.keys(names as object).length : 0;
  if (count > 0) return count;
  throw config.complaint('id2label', 'an object with a name for each class');
}

/** The share of states that the head of a decoder drops: what transformers takes, which is 0.1 where no key says. */
export function classifierDropout(config: ConfigReader): number {
  return config.probability('classifier_dropout', config.probability('hidden_dropout', 0.1));
}

/** The names that transformers gives to classes without one; it reads the number of classes from them. */
export function labelNames(count: number): { id2label: Record<string, string>; label2id: Record<string, number> } {
  const names = Array.from({ length: count }, (_, label) => `LABEL_${label}`);
  return {
    id2label: Object.fromEntries(names.map((name, label) => [String(label), name])),
    label2id: Object.fromEntries(names.map((name, label) => [name, label])),
  };
}
