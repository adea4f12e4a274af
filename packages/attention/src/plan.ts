import type { HeadLayout } from '@burin/nn';
import { type AttentionArguments, commonDevice, type Device, DtypeError, ShapeError, type Tensor } from '@burin/tensor';
import { type HeadSizes, headSizes } from './head-layout.js';
import type { AttentionMasks } from './options.js';

/** What a call of attention comes down to: sizes, and the tensors that mask it. */
export interface AttentionPlan {
  device: Device;
  q: HeadSizes;
  k: HeadSizes;
  v: HeadSizes;
  keys: number;
  scale: number;
  windowLeft: number;
  windowRight: number;
  queryOffset: number;
  keyMask: Tensor | null;
  querySegments: Tensor | null;
  keySegments: Tensor | null;
  bias: Tensor | null;
  biasStrides: AttentionArguments['biasStrides'];
}

/**
 * Checks operands and masks against each other.
 *
 * @throws ShapeError, DtypeError, RangeError or DeviceError that says what does not fit
 */
export function planAttention(
  who: string,
  [q, k, v]: readonly [q: Tensor, k: Tensor, v: Tensor],
  layout: HeadLayout,
  masks: AttentionMasks,
): AttentionPlan {
  if (layout !== 'bhtd' && layout !== 'bthd') {
    throw new RangeError(`${who}: layout must be 'bhtd' or 'bthd', got ${layout}`);
  }
  const sizes = {
    q: headSizes(who, 'q', q, layout),
    k: headSizes(who, 'k', k, layout),
    v: headSizes(who, 'v', v, layout),
  };
  checkHeads(who, sizes, [q, k, v]);
  const { bias = null, keyPaddingMask = null, segments = null } = masks;
  const keys = masks.keys ?? sizes.k.tokens;
  if (!Number.isInteger(keys) || keys < 0 || keys > sizes.k.tokens) {
    throw new RangeError(`${who}: keys must be from 0 to the ${sizes.k.tokens} tokens of k, got ${keys}`);
  }
  checkMasks(who, sizes.q, keys, masks);
  const [querySegments, keySegments] = splitSegments(segments);
  return {
    device: commonDevice(who, q, k, v, bias, keyPaddingMask, querySegments, keySegments),
    ...sizes,
    keys,
    scale: masks.scale ?? 1 / Math.sqrt(sizes.q.dim),
    ...bounds(masks),
    keyMask: keyPaddingMask,
    querySegments,
    keySegments,
    bias,
    biasStrides: bias ? biasStrides(bias) : { batch: 0, head: 0, token: 0 },
  };
}

/**
 * Checks masks against the queries and a number of keys.
 *
 * @throws ShapeError, DtypeError or RangeError that says what does not fit
 */
export function checkMasks(who: string, q: HeadSizes, keys: number, masks: AttentionMasks): void {
  const { bias, keyPaddingMask, segments, queryOffset = 0 } = masks;
  if (keyPaddingMask) checkMask(who, 'keyPaddingMask', keyPaddingMask, 'uint8', [q.batch, keys]);
  const [querySegments, keySegments] = splitSegments(segments ?? null);
  if (querySegments) checkMask(who, 'query segments', querySegments, 'int32', [q.batch, q.tokens]);
  if (keySegments) checkMask(who, 'key segments', keySegments, 'int32', [q.batch, keys]);
  if (bias) checkBias(who, bias, q, keys);
  checkReach(who, masks);
  if (!Number.isInteger(queryOffset) || queryOffset < 0) {
    throw new RangeError(`${who}: queryOffset must be a whole number of 0 or more, got ${queryOffset}`);
  }
}

/** @throws RangeError if a window is not a whole number of 1 or more, or a scale no finite number */
export function checkReach(
  who: string,
  { window = null, scale = null }: Pick<AttentionMasks, 'window' | 'scale'>,
): void {
  if (window !== null && (!Number.isInteger(window) || window < 1)) {
    throw new RangeError(`${who}: window must be a whole number of 1 or more, got ${window}`);
  }
  if (scale !== null && !Number.isFinite(scale)) {
    throw new RangeError(`${who}: scale must be a finite number, got ${scale}`);
  }
}

function checkHeads(who: string, { q, k, v }: Record<'q' | 'k' | 'v', HeadSizes>, tensors: readonly Tensor[]): void {
  const rule = (holds: boolean, words: string, expected: number | string, got: number | string) => {
    if (holds) return;
    const given = `(q is [${tensors[0]!.shape}], k is [${tensors[1]!.shape}], v is [${tensors[2]!.shape}])`;
    throw new ShapeError(`${who}: ${words}: expected ${expected}, got ${got} ${given}`);
  };
  rule(k.batch === q.batch, 'k must have the batch of q', q.batch, k.batch);
  rule(v.batch === q.batch, 'v must have the batch of q', q.batch, v.batch);
  rule(k.dim === q.dim, 'k must have the head size of q', q.dim, k.dim);
  rule(v.tokens === k.tokens, 'v must have as many tokens as k', k.tokens, v.tokens);
  rule(v.heads === k.heads, 'v must have as many heads as k', k.heads, v.heads);
  rule(
    k.heads > 0 && q.heads % k.heads === 0,
    'the heads of q must be a multiple of those of k',
    `a multiple of ${k.heads}`,
    q.heads,
  );
}

function checkMask(who: string, name: string, mask: Tensor, dtype: 'uint8' | 'int32', shape: readonly number[]): void {
  if (mask.dtype !== dtype) throw new DtypeError(`${who}: ${name} must be ${dtype}, got ${mask.dtype}`);
  if (`${mask.shape}` !== `${shape}`) {
    throw new ShapeError(`${who}: ${name} must have a number for each token: expected [${shape}], got [${mask.shape}]`);
  }
}

/** The segments of the queries, and those of the keys. */
export function splitSegments(segments: AttentionMasks['segments']): [query: Tensor | null, key: Tensor | null] {
  if (!segments) return [null, null];
  return 'query' in segments ? [segments.query, segments.key] : [segments, segments];
}

/** How far a query sees to the left and to the right; −1 is without a bound. */
function bounds({ causal = false, window = null, queryOffset = 0 }: AttentionMasks) {
  const reach = window === null ? -1 : window - 1;
  return { windowLeft: reach, windowRight: causal ? 0 : reach, queryOffset };
}

function checkBias(who: string, bias: Tensor, { batch, heads, tokens }: HeadSizes, keys: number): void {
  if (bias.dtype !== 'float32') throw new DtypeError(`${who}: bias must be float32, got ${bias.dtype}`);
  const [B = 0, H = 0, T = 0, S = 0] = bias.shape;
  const fits = (length: number, full: number) => length === 1 || length === full;
  if (bias.shape.length !== 4 || !fits(B, batch) || !fits(H, heads) || !fits(T, tokens) || S !== keys) {
    throw new ShapeError(
      `${who}: bias must be [1 or B, 1 or H, 1 or T, S]: ` +
        `expected [1 or ${batch}, 1 or ${heads}, 1 or ${tokens}, ${keys}], got [${bias.shape}]`,
    );
  }
}

/** 0 along the axes that the bias repeats. */
function biasStrides({ shape }: Tensor) {
  const [B, H, T, S] = shape as [number, number, number, number];
  return { batch: B === 1 ? 0 : H * T * S, head: H === 1 ? 0 : T * S, token: T === 1 ? 0 : S };
}
