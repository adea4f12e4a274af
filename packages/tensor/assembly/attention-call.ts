/**
 * The arguments of attention, as src/cpu/attention.ts lays them out: 32-bit words in this order. Strides are in
 * elements, windows of −1 mean no bound. The last block of fields is 0 in the forward pass.
 */
@unmanaged
export class AttentionCall {
  q: usize;
  k: usize;
  v: usize;
  out: usize;
  lse: usize;
  qBatch: usize;
  qHead: usize;
  qToken: usize;
  kBatch: usize;
  kHead: usize;
  kToken: usize;
  vBatch: usize;
  vHead: usize;
  vToken: usize;
  outBatch: usize;
  outHead: usize;
  outToken: usize;
  batch: i32;
  heads: i32;
  kvHeads: i32;
  queries: i32;
  keys: i32;
  headDim: i32;
  valueDim: i32;
  scale: f32;
  windowLeft: i32;
  windowRight: i32;
  queryOffset: i32;
  keyMask: usize;
  querySegments: usize;
  keySegments: usize;
  bias: usize;
  biasBatch: usize;
  biasHead: usize;
  biasToken: usize;
  dropout: f32;
  seedLow: u32;
  seedHigh: u32;
  offsetLow: u32;
  offsetHigh: u32;

  g: usize;
  dq: usize;
  dk: usize;
  dv: usize;
  dbias: usize;
}

/** Queries and keys that are worked on together. */
export const QUERY_BLOCK: i32 = 64;
export const KEY_BLOCK: i32 = 64;
/** Queries of a block of which not all see all keys that are worked on together, with no more keys than they see. */
export const EDGE: i32 = 16;
/** Bytes of a row of a block of scores. */
export const SCORE_ROW: usize = KEY_BLOCK * 4;

// @ts-ignore: decorator
@inline
export function queryRow(call: AttentionCall, b: i32, h: i32, i: i32): usize {
  return (<usize>b * call.qBatch + <usize>h * call.qHead + <usize>i * call.qToken) << 2;
}

// @ts-ignore: decorator
@inline
export function keyRow(call: AttentionCall, b: i32, kv: i32, j: i32): usize {
  return (<usize>b * call.kBatch + <usize>kv * call.kHead + <usize>j * call.kToken) << 2;
}

// @ts-ignore: decorator
@inline
export function valueRow(call: AttentionCall, b: i32, kv: i32, j: i32): usize {
  return (<usize>b * call.vBatch + <usize>kv * call.vHead + <usize>j * call.vToken) << 2;
}

// @ts-ignore: decorator
@inline
export function outRow(call: AttentionCall, b: i32, h: i32, i: i32): usize {
  return (<usize>b * call.outBatch + <usize>h * call.outHead + <usize>i * call.outToken) << 2;
}

/** Where query i's log-sum-exp lies. */
// @ts-ignore: decorator
@inline
export function lseAt(call: AttentionCall, b: i32, h: i32, i: i32): usize {
  return call.lse + (((<usize>b * <usize>call.heads + <usize>h) * <usize>call.queries + <usize>i) << 2);
}

/** The key/value head that query head h reads. */
// @ts-ignore: decorator
@inline
export function kvHead(call: AttentionCall, h: i32): i32 {
  return h / (call.heads / call.kvHeads);
}

/** The first key that a query in rows `i0 ..` may see. */
export function firstKey(call: AttentionCall, i0: i32): i32 {
  if (call.windowLeft < 0) return 0;
  return max(0, call.queryOffset + i0 - call.windowLeft);
}

/** One past the last key that a query in rows `.. i1` may see. */
export function lastKey(call: AttentionCall, i1: i32): i32 {
  if (call.windowRight < 0) return call.keys;
  return min(call.keys, call.queryOffset + i1 + call.windowRight);
}

/** Whether all queries in rows `i0 ..` may look past the keys of a block: else they are worked on edge by edge. */
export function seesWhole(call: AttentionCall, i0: i32, j0: i32, keys: i32): bool {
  return lastKey(call, i0 + 1) >= j0 + keys;
}

/** The columns of a block that queries in rows `.. i1` may see, in whole edges; 0 if there are none. */
export function seenColumns(call: AttentionCall, i1: i32, j0: i32): i32 {
  return min(KEY_BLOCK, max(0, lastKey(call, i1) - j0 + EDGE - 1) & ~(EDGE - 1));
}

/** The first of the queries in rows `i0 .. i0 + rows`, in whole edges, that may see key j; `rows` if none may. */
export function firstQuery(call: AttentionCall, i0: i32, rows: i32, j: i32): i32 {
  if (call.windowRight < 0) return 0;
  const first = j - call.windowRight - call.queryOffset - i0;
  return first >= rows ? rows : max(0, first) & ~(EDGE - 1);
}
