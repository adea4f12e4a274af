import { cachedAttention, type KeyValueCache, scaledDotProductAttention } from '@burin/attention';
import type { Generator, Tensor } from '@burin/tensor';

/** How a layer attends. */
export interface AttendSettings {
  /** H, heads of the queries. */
  heads: number;
  /** K, heads of keys and values. Default: as many as `heads`. */
  kvHeads?: number;
  /** Factor on the scores. Default 1 / √D. */
  scale?: number;
  /** Tokens see themselves and what is before them. Default false. */
  causal?: boolean;
  /** Tokens see less than this many positions far. Default null: no bound. */
  window?: number | null;
  /** Past keys and values; these are appended. */
  cache?: KeyValueCache | null;
  /** uint8 `[B, S]`: 1 is a real token. */
  attentionMask?: Tensor | null;
  /** int32 `[B, T]`: packed texts by number. */
  segments?: Tensor | null;
  /** float32 `[1 or B, 1 or H, 1 or T, S]`, added to the scores. */
  bias?: Tensor | null;
  /** Share of the probabilities that is dropped. Default 0. */
  dropout?: number;
  rng?: Generator | null;
}

/**
 * Attention over projections whose heads lie side by side, for layers that name or stack their projections in a way of
 * their own.
 *
 * @param q - `[B, T, H · D]`
 * @param k - `[B, S, K · D]`
 * @param v - `[B, S, K · D]`
 * @returns `[B, T, H · D]`
 */
export function attend(q: Tensor, k: Tensor, v: Tensor, settings: AttendSettings): Tensor {
  const { heads, kvHeads = heads, cache = null, attentionMask, ...rest } = settings;
  const keyPaddingMask = attentionMask ?? null;
  return cachedAttention(splitHeads(q, heads), splitHeads(k, kvHeads), splitHeads(v, kvHeads), cache, {
    ...rest,
    keyPaddingMask,
  }).reshape(q.shape);
}

/** `[B, T, H · D] -> [B, T, H, D]`, the same memory. */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [B, T, width] = x.shape as [number, number, number];
  return x.reshape([B, T, heads, width / heads]);
}

/** A layer over the last axis. */
interface Projection {
  forward(x: Tensor): Tensor;
}

/** Layers that make keys and values of a memory: the encoder's states. */
export interface MemoryProjections {
  key: Projection; // [C of the memory] -> [H · D]
  value: Projection; // [C of the memory] -> [H · D]
}

/**
 * Cross attention: queries of one text over the states of another. With a cache, keys and values of the memory are
 * computed once, the first time, and read from it from then on.
 *
 * @param q - `[B, T, H · D]`
 * @param memory - `[B, S, C]`
 * @param settings.attentionMask - uint8 `[B, S]`, of the memory
 * @returns `[B, T, H · D]`
 */
export function crossAttend(
  q: Tensor,
  memory: Tensor,
  { key, value }: MemoryProjections,
  settings: Omit<AttendSettings, 'causal' | 'window' | 'segments' | 'kvHeads'>,
): Tensor {
  const { heads, cache = null, attentionMask, ...rest } = settings;
  const project = () => [key, value].map((linear) => splitHeads(linear.forward(memory), heads)) as [Tensor, Tensor];
  const held = cache && (cache.length === 0 ? cache.update(...project()) : cache.held());
  const [keys, values] = held ? [held.keys, held.values] : project();
  return scaledDotProductAttention(splitHeads(q, heads), keys, values, {
    ...rest,
    layout: 'bthd',
    keyPaddingMask: attentionMask ?? null,
    ...(held && { keys: held.count }),
  }).reshape(q.shape);
}
