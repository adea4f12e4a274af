import type { Embedding } from '@burin/nn';
import { scope, type Tensor, tensor } from '@burin/tensor';

/** How distances are sorted into buckets. */
export interface BucketOptions {
  /** Half of the buckets are for keys after the query. Else those count as distance 0. */
  bidirectional: boolean;
  buckets: number;
  /** From here on all distances share a bucket. */
  maxDistance: number;
}

/**
 * The bucket of a key that lies `distance` after its query (negative: before it). Half of the buckets are one position
 * each; the rest grow logarithmically up to `maxDistance`.
 *
 * @see Raffel et al. 2020, section 2.1, https://arxiv.org/abs/1910.10683
 */
function relativeBucket(distance: number, { bidirectional, buckets, maxDistance }: BucketOptions): number {
  const half = bidirectional ? Math.floor(buckets / 2) : buckets;
  const offset = bidirectional && distance > 0 ? half : 0;
  const away = bidirectional ? Math.abs(distance) : Math.max(-distance, 0);
  const exact = Math.floor(half / 2);
  if (away < exact) return offset + away;
  const share = Math.fround(Math.log(Math.fround(away / exact))) / Math.log(maxDistance / exact);
  return offset + Math.min(half - 1, exact + Math.floor(Math.fround(share * (half - exact))));
}

/**
 * What scores get for the distance between query and key: one learned number a bucket and head, `[1, H, T, S]`, of a
 * table `[buckets, H]`. Queries are at `offset` and after, keys at 0 and after.
 */
export function relativeBias(
  table: Embedding,
  options: BucketOptions,
  { queries, keys, offset }: { queries: number; keys: number; offset: number },
): Tensor {
  return scope(() => {
    const ids = Int32Array.from({ length: queries * keys }, (_, i) =>
      relativeBucket((i % keys) - Math.floor(i / keys) - offset, options),
    );
    const { device } = table.weight;
    const biases = table.forward(tensor(ids, [queries, keys], { device })); // [T, S, H]
    return biases.permute([2, 0, 1]).reshape([1, -1, queries, keys]); // [1, H, T, S]
  });
}
