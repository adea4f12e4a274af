/**
 * Attention whose products a BLAS makes: strips of queries of one head by spans of keys, whose scores stay in the
 * second-level cache of the thread that works on them.
 */
import {
  AttentionCall, firstKey, KEY_BLOCK, keyRow, kvHead, lastKey, lseAt, outRow, queryRow, seesWhole, valueRow,
} from './attention-call';
import { DROPOUT_BYTES, dropoutRow, dropRow } from './attention-dropout';
import { markHiddenKeys, scoreRow } from './attention-scores';
import { sgemm } from './blas';
import { beginSoftmax, finishSoftmax, softmaxPiece, STATE_BYTES } from './online-softmax';

export const STRIP_QUERIES: i32 = 128;
const SPAN_KEYS: i32 = 256;
/** Queries of a strip of which not all see all keys of a span are worked on so many at a time, with the keys that they see. */
const EDGE_QUERIES: i32 = 32;
/** Elements from one row of scores to the next: no power of two, which few sets of a cache would hold. */
export const SPAN_WIDTH: usize = SPAN_KEYS + 16;
export const SPAN_BYTES: usize = (SPAN_WIDTH << 2) * STRIP_QUERIES;

// scratch: hidden keys, dropout factors, what is known of each query, scores, and for the backward pass their gradients
const DROPOUT: usize = SPAN_KEYS * 4;
export const QUERIES: usize = DROPOUT + DROPOUT_BYTES;
export const SCORES: usize = QUERIES + STRIP_QUERIES * STATE_BYTES;
export const GRADIENTS: usize = SCORES + SPAN_BYTES;

/** Strips of a head. */
// @ts-ignore: decorator
@inline
export function stripsOf(call: AttentionCall): i32 {
  return (call.queries + STRIP_QUERIES - 1) / STRIP_QUERIES;
}

export function attentionStripsUnits(call: AttentionCall): i32 {
  return call.batch * call.heads * stripsOf(call);
}

/** Bytes of scratch that each caller of `attentionStrips` needs. */
export function attentionStripsScratch(): usize {
  return SCORES + SPAN_BYTES;
}

/** Computes the units `begin .. end`: strips. */
export function attentionStrips(call: AttentionCall, begin: i32, end: i32, scratch: usize): void {
  const strips = stripsOf(call);
  for (; begin < end; begin++) {
    const head = begin / strips;
    const b = head / call.heads;
    strip(call, b, head - b * call.heads, (begin - head * strips) * STRIP_QUERIES, scratch);
  }
}

function strip(call: AttentionCall, b: i32, h: i32, i0: i32, scratch: usize): void {
  const end = min(call.queries, i0 + STRIP_QUERIES);
  let state = scratch + QUERIES;
  for (let i = i0; i < end; i++) {
    beginSoftmax(call.out + outRow(call, b, h, i), call.valueDim, state);
    state += STATE_BYTES;
  }
  for (let j0 = firstKey(call, i0); spanKeys(call, end, j0) > 0; j0 += SPAN_KEYS) {
    const step = spanQueries(call, i0, end, j0);
    for (let i = i0; i < end; i += step) {
      const last = min(i + step, end);
      const keys = spanKeys(call, last, j0);
      if (keys > 0) span(call, b, h, i, last, j0, keys, scratch + QUERIES + <usize>(i - i0) * STATE_BYTES, scratch);
    }
  }
  state = scratch + QUERIES;
  for (let i = i0; i < end; i++) {
    const lse = finishSoftmax(call.out + outRow(call, b, h, i), call.valueDim, state);
    store<f32>(lseAt(call, b, h, i), lse);
    state += STATE_BYTES;
  }
}

/** The keys of a span from j0 on that a query in rows `.. end` may see; 0 or less if there are none. */
// @ts-ignore: decorator
@inline
export function spanKeys(call: AttentionCall, end: i32, j0: i32): i32 {
  return min(SPAN_KEYS, lastKey(call, end) - j0);
}

/** The key after a span. */
// @ts-ignore: decorator
@inline
export function nextSpan(j0: i32): i32 {
  return j0 + SPAN_KEYS;
}

/** How many queries in rows `i0 .. end` are worked on at a time. */
// @ts-ignore: decorator
@inline
export function spanQueries(call: AttentionCall, i0: i32, end: i32, j0: i32): i32 {
  return seesWhole(call, i0, j0, spanKeys(call, end, j0)) ? STRIP_QUERIES : EDGE_QUERIES;
}

/** Adds the values of some keys to the outputs of the queries `i .. end`. */
function span(
  call: AttentionCall, b: i32, h: i32, i: i32, end: i32, j0: i32, keys: i32, state: usize, scratch: usize,
): void {
  const kv = kvHead(call, h);
  const scores = scratch + SCORES;
  const out = call.out + outRow(call, b, h, i);
  scoreProducts(call, b, h, i, end, j0, keys, scores);
  const hidden = hiddenKeys(call, b, j0, keys, scratch);
  for (let row = 0; row < end - i; row++) {
    const at = scores + ((<usize>row * SPAN_WIDTH) << 2);
    scoreRow(call, b, h, i + row, j0, keys, columnsOf(keys), hidden, at);
    softmaxPiece(at, columnsOf(keys), out + ((<usize>row * call.outToken) << 2), call.valueDim, state);
    if (call.dropout > 0) dropKeys(call, b, h, i + row, j0, keys, at, scratch);
    state += STATE_BYTES;
  }
  const v = call.v + valueRow(call, b, kv, j0);
  sgemm(false, false, end - i, call.valueDim, keys, 1, scores, SPAN_WIDTH, v, call.vToken, 1, out, call.outToken);
}

/** `scale · q·k` of the queries `i .. end` and some keys. */
export function scoreProducts(
  call: AttentionCall, b: i32, h: i32, i: i32, end: i32, j0: i32, keys: i32, scores: usize,
): void {
  const q = call.q + queryRow(call, b, h, i);
  const k = call.k + keyRow(call, b, kvHead(call, h), j0);
  sgemm(false, true, end - i, keys, call.headDim, call.scale, q, call.qToken, k, call.kToken, 0, scores, SPAN_WIDTH);
}

/** The numbers of a row that are worked on: whole vectors. */
// @ts-ignore: decorator
@inline
export function columnsOf(keys: i32): i32 {
  return (keys + 3) & ~3;
}

/** Marks the keys that no query may see, and what fills up a row. Returns where the marks are, 0 if there are none. */
export function hiddenKeys(call: AttentionCall, b: i32, j0: i32, keys: i32, scratch: usize): usize {
  if (call.keyMask == 0 && columnsOf(keys) == keys) return 0;
  for (let j = 0; j < keys; j += KEY_BLOCK) {
    markHiddenKeys(call, b, j0 + j, min(KEY_BLOCK, keys - j), scratch + (<usize>j << 2));
  }
  return scratch;
}

/** The factors of dropout of query i and a block of keys from j0 on. */
// @ts-ignore: decorator
@inline
export function dropoutFactors(call: AttentionCall, b: i32, h: i32, i: i32, j0: i32, scratch: usize): usize {
  return dropoutRow(call, b, h, i, j0, scratch + DROPOUT);
}

function dropKeys(call: AttentionCall, b: i32, h: i32, i: i32, j0: i32, keys: i32, row: usize, scratch: usize): void {
  for (let j = 0; j < keys; j += KEY_BLOCK) {
    dropRow(row, min(KEY_BLOCK, columnsOf(keys) - j), dropoutFactors(call, b, h, i, j0 + j, scratch));
    row += KEY_BLOCK * 4;
  }
}
