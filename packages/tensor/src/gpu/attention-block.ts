import type { AttentionArguments } from '../kernels/attention.js';
import { hideScores, probabilities } from './attention-kernels.js';
import type { Heads, Memory, Workspace } from './heads.js';
import { type LaunchInput, view } from './launcher.js';
import { runProduct } from './product.js';

/**
 * At most this many scores at a time: 16 MB, so that memory does not grow with T · S. A block of queries has its scores,
 * probabilities and their gradients there; products are those of `matmul`.
 */
const BLOCK = 4 << 20;

/** Queries `start .. end` of every head, and keys `firstKey .. lastKey`: all that some of them may see. */
export interface Block {
  readonly start: number;
  readonly end: number;
  readonly firstKey: number;
  readonly lastKey: number;
  readonly rows: number;
  readonly columns: number;
}

export function blocksOf(args: AttentionArguments): Block[] {
  const { batch, heads, queries, keys } = args;
  const rows = Math.max(1, Math.floor(BLOCK / Math.max(1, batch * heads * keys)));
  const blocks: Block[] = [];
  for (let start = 0; start < queries; start += rows) {
    const end = Math.min(queries, start + rows);
    const [firstKey, lastKey] = seenKeys(args, start, end);
    blocks.push({ start, end, firstKey, lastKey, rows: end - start, columns: lastKey - firstKey });
  }
  return blocks;
}

/** The keys that the window lets queries `start .. end` see, at multiples of four where it can be: GL reads four at once. */
function seenKeys({ windowLeft, windowRight, queryOffset, keys }: AttentionArguments, start: number, end: number) {
  const first = windowLeft < 0 ? 0 : Math.max(0, start + queryOffset - windowLeft);
  const last = windowRight < 0 ? keys : Math.max(0, end + queryOffset + windowRight);
  const from = Math.min(keys, Math.floor(first / 4) * 4);
  return [from, Math.max(from, Math.min(keys, Math.ceil(last / 4) * 4))] as const;
}

export function queryHeads({
  q: memory,
  qStrides: strides,
  batch,
  heads,
  queries: tokens,
  headDim: size,
}: AttentionArguments): Heads {
  return { memory, strides, batch, heads, tokens, size };
}

export function keyHeads({
  k: memory,
  kStrides: strides,
  batch,
  kvHeads: heads,
  keys: tokens,
  headDim: size,
}: AttentionArguments): Heads {
  return { memory, strides, batch, heads, tokens, size };
}

export function valueHeads({
  v: memory,
  vStrides: strides,
  batch,
  kvHeads: heads,
  keys: tokens,
  valueDim: size,
}: AttentionArguments): Heads {
  return { memory, strides, batch, heads, tokens, size };
}

export function outHeads({
  out: memory,
  outStrides: strides,
  batch,
  heads,
  queries: tokens,
  valueDim: size,
}: AttentionArguments): Heads {
  return { memory, strides, batch, heads, tokens, size };
}

/** lse, as heads of one number a token. */
export function lseHeads({ lse: memory, batch, heads, queries: tokens }: AttentionArguments): Heads {
  return { memory, strides: { batch: heads * tokens, head: tokens, token: 1 }, batch, heads, tokens, size: 1 };
}

export interface HeadProduct {
  readonly a: Memory;
  readonly b: Memory;
  readonly y: Memory;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly alpha?: number;
  readonly accumulate?: boolean;
}

/** `y = alpha · op(a) · op(b)` for each batch and key/value head, as `runProduct`. */
export function headProduct(
  { launcher }: Workspace,
  { batch, kvHeads }: AttentionArguments,
  { transposeA = false, transposeB = false, alpha = 1, accumulate = false, ...product }: HeadProduct,
): void {
  const { m, n, k } = product;
  const options = { transposeA, transposeB, alpha, accumulate, bias: null };
  runProduct(launcher, { ...product, ...options, batch: batch * kvHeads, aStride: m * k, bStride: k * n });
}

/** Rows of queries that share a key/value head: heads of a group lie one after the other. */
export function groupRows({ heads, kvHeads }: AttentionArguments, { rows }: Block): number {
  return (heads / kvHeads) * rows;
}

/** `scale · q kᵀ + bias` of a block, hidden where a key is not seen. q and k hold the block's only. */
export function blockScores(work: Workspace, args: AttentionArguments, block: Block, q: Memory, k: Memory): Memory {
  const { batch, heads, headDim, scale } = args;
  const { rows, columns } = block;
  const y = work.take(batch * heads * rows * columns);
  const sizes = { m: groupRows(args, block), n: columns, k: headDim };
  headProduct(work, args, { a: q, b: k, y, ...sizes, transposeB: true, alpha: scale });
  hide(work, args, block, y);
  return y;
}

function hide({ launcher }: Workspace, args: AttentionArguments, block: Block, scores: Memory): void {
  const { batch, heads, windowLeft, windowRight, queryOffset, keyMask, querySegments, keySegments, bias } = args;
  const window = windowLeft >= 0 || windowRight >= 0;
  if (!window && !keyMask && !querySegments && !bias) return;
  const { start, firstKey, rows, columns } = block;
  const inputs: LaunchInput[] = [view(scores, columns, rows)];
  const scalars = [start, firstKey, heads];
  if (keyMask) inputs.push(view(keyMask, args.keys));
  if (querySegments && keySegments) inputs.push(view(querySegments, args.queries), view(keySegments, args.keys));
  if (window) scalars.push(windowLeft, windowRight, queryOffset);
  if (bias) {
    const { batch: perBatch, head, token } = args.biasStrides;
    inputs.push(bias);
    scalars.push(start * token + firstKey, perBatch, head, token);
  }
  const kernel = hideScores(window, keyMask !== null, querySegments !== null, bias !== null);
  launcher.launch(kernel, scores, [columns, rows, batch * heads], inputs, scalars);
}

/** Turns a block's scores into probabilities, in place. `lse` holds `tokens` queries, the block's from `first` on. */
export function toProbabilities(
  { launcher }: Workspace,
  { batch, heads }: AttentionArguments,
  { rows, columns }: Block,
  scores: Memory,
  lse: Memory,
  tokens: number,
  first: number,
): void {
  const inputs = [view(scores, columns, rows), view(lse, tokens)];
  launcher.launch(probabilities, scores, [columns, rows, batch * heads], inputs, [first]);
}
