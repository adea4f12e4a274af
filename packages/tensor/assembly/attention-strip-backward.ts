/**
 * Gradients of attention whose products a BLAS makes: as attention-backward.ts has them, over the strips and spans of
 * attention-strip.ts.
 *
 * A unit is a key/value head of a batch element with all strips that read it; or, where there are few such heads, one of
 * the parts that these strips are dealt out to. Part 0 sums dk and dv where they belong, the others in `sums`, from where
 * `attentionStripsSum` adds them. Results depend on the number of parts by roundings, so it depends on sizes alone.
 */
import {
  AttentionCall, firstKey, KEY_BLOCK, keyRow, lseAt, outRow, queryRow, valueRow,
} from './attention-call';
import { addTo, clearRows, dot, rowGradients } from './attention-backward';
import { scoreRow } from './attention-scores';
import {
  columnsOf, dropoutFactors, GRADIENTS, hiddenKeys, nextSpan, QUERIES, scoreProducts, SCORES, SPAN_BYTES, SPAN_WIDTH,
  spanKeys, spanQueries, STRIP_QUERIES, stripsOf,
} from './attention-strip';
import { sgemm } from './blas';

/** Where a unit sums dk and dv; widths are elements from one key to the next. */
@unmanaged
class KeySums {
  dk: usize;
  dkWidth: usize;
  dv: usize;
  dvWidth: usize;
}

/** Heads have one part only where that makes so many units. */
const ENOUGH_UNITS: i32 = 16;
/** Bytes of `sums` at the most: 64 MiB. */
const MOST_SUMS: u64 = 1 << 26;

const KEY_SUMS: usize = GRADIENTS + SPAN_BYTES;

/** Bytes of scratch that each caller of `attentionStripsBackward` needs. */
export function attentionStripsBackwardScratch(): usize {
  return KEY_SUMS + offsetof<KeySums>();
}

/** Bytes of `sums`; 0 if heads have one part only. */
export function attentionStripsSums(call: AttentionCall): usize {
  return <usize>(call.batch * call.kvHeads * (partsOf(call) - 1)) * partBytes(call);
}

function partsOf(call: AttentionCall): i32 {
  const heads = call.batch * call.kvHeads;
  const strips = (call.heads / call.kvHeads) * stripsOf(call);
  const room = <i32>(MOST_SUMS / (<u64>heads * <u64>partBytes(call)));
  return max(1, min(min(strips, ENOUGH_UNITS / heads), 1 + room));
}

// @ts-ignore: decorator
@inline
function partBytes(call: AttentionCall): usize {
  return (<usize>call.keys * <usize>(call.headDim + call.valueDim)) << 2;
}

/** The sums of a head's part 1 and those after it. */
// @ts-ignore: decorator
@inline
function partSums(call: AttentionCall, parts: i32, sums: usize, b: i32, kv: i32, part: i32): usize {
  return sums + <usize>((b * call.kvHeads + kv) * (parts - 1) + part - 1) * partBytes(call);
}

export function attentionStripsBackwardUnits(call: AttentionCall): i32 {
  return call.batch * call.kvHeads * partsOf(call);
}

/** Computes the units `begin .. end`. */
export function attentionStripsBackward(call: AttentionCall, sums: usize, begin: i32, end: i32, scratch: usize): void {
  const parts = partsOf(call);
  for (; begin < end; begin++) {
    const head = begin / parts;
    const b = head / call.kvHeads;
    keyValueHead(call, b, head - b * call.kvHeads, begin - head * parts, parts, sums, scratch);
  }
}

/** Every `parts`-th strip of those that read a key/value head, from the last on. */
function keyValueHead(
  call: AttentionCall, b: i32, kv: i32, part: i32, parts: i32, sums: usize, scratch: usize,
): void {
  const to = changetype<KeySums>(scratch + KEY_SUMS);
  const own = partSums(call, parts, sums, b, kv, part);
  to.dk = part == 0 ? call.dk + keyRow(call, b, kv, 0) : own;
  to.dkWidth = part == 0 ? call.kToken : call.headDim;
  to.dv = part == 0 ? call.dv + valueRow(call, b, kv, 0) : own + ((<usize>call.keys * <usize>call.headDim) << 2);
  to.dvWidth = part == 0 ? call.vToken : call.valueDim;
  clearRows(to.dk, to.dkWidth << 2, call.keys, call.headDim);
  clearRows(to.dv, to.dvWidth << 2, call.keys, call.valueDim);
  const group = call.heads / call.kvHeads;
  const strips = stripsOf(call);
  for (let s = group * strips - 1 - part; s >= 0; s -= parts) {
    const h = s / strips;
    strip(call, b, kv, kv * group + h, (s - h * strips) * STRIP_QUERIES, to, scratch);
  }
}

function strip(call: AttentionCall, b: i32, kv: i32, h: i32, i0: i32, to: KeySums, scratch: usize): void {
  const end = min(call.queries, i0 + STRIP_QUERIES);
  clearRows(call.dq + queryRow(call, b, h, i0), call.qToken << 2, end - i0, call.headDim);
  for (let i = i0; i < end; i++) {
    const out = outRow(call, b, h, i);
    store<f32>(scratch + QUERIES + (<usize>(i - i0) << 2), dot(call.g + out, call.out + out, call.valueDim));
  }
  for (let j0 = firstKey(call, i0); spanKeys(call, end, j0) > 0; j0 = nextSpan(j0)) {
    const step = spanQueries(call, i0, end, j0);
    for (let i = i0; i < end; i += step) {
      const last = min(i + step, end);
      const keys = spanKeys(call, last, j0);
      if (keys <= 0) continue;
      scoreGradients(call, b, kv, h, i, last, j0, keys, scratch + QUERIES + (<usize>(i - i0) << 2), scratch);
      addToInputs(call, b, kv, h, i, last, j0, keys, to, scratch);
    }
  }
}

/** (Dropped) probabilities of the queries `i .. end` and some keys, and the gradients of their scores. */
function scoreGradients(
  call: AttentionCall, b: i32, kv: i32, h: i32, i: i32, end: i32, j0: i32, keys: i32, deltas: usize, scratch: usize,
): void {
  const g = call.g + outRow(call, b, h, i);
  const v = call.v + valueRow(call, b, kv, j0);
  let p = scratch + SCORES;
  let ds = scratch + GRADIENTS;
  scoreProducts(call, b, h, i, end, j0, keys, p);
  sgemm(false, true, end - i, keys, call.valueDim, 1, g, call.outToken, v, call.vToken, 0, ds, SPAN_WIDTH);
  const hidden = hiddenKeys(call, b, j0, keys, scratch);
  for (; i < end; i++) {
    scoreRow(call, b, h, i, j0, keys, columnsOf(keys), hidden, p);
    gradientRow(call, b, h, i, j0, keys, load<f32>(deltas), p, ds, scratch);
    p += SPAN_WIDTH << 2;
    ds += SPAN_WIDTH << 2;
    deltas += 4;
  }
}

function gradientRow(
  call: AttentionCall, b: i32, h: i32, i: i32, j0: i32, keys: i32, delta: f32, p: usize, ds: usize, scratch: usize,
): void {
  const lse = load<f32>(lseAt(call, b, h, i));
  if (call.dropout == 0) return rowGradients(p, ds, columnsOf(keys), lse, delta, 0);
  for (let j = 0; j < keys; j += KEY_BLOCK) {
    const at = <usize>j << 2;
    const factors = dropoutFactors(call, b, h, i, j0 + j, scratch);
    rowGradients(p + at, ds + at, min(KEY_BLOCK, columnsOf(keys) - j), lse, delta, factors);
  }
}

/** dv += pᵀ · g, dk += scale · dsᵀ · q, dq += scale · ds · k. */
function addToInputs(
  call: AttentionCall, b: i32, kv: i32, h: i32, i: i32, end: i32, j0: i32, keys: i32, to: KeySums, scratch: usize,
): void {
  const rows = end - i;
  const p = scratch + SCORES;
  const ds = scratch + GRADIENTS;
  const query = queryRow(call, b, h, i);
  const g = call.g + outRow(call, b, h, i);
  const k = call.k + keyRow(call, b, kv, j0);
  const dk = to.dk + ((<usize>j0 * to.dkWidth) << 2);
  const dv = to.dv + ((<usize>j0 * to.dvWidth) << 2);
  sgemm(true, false, keys, call.valueDim, rows, 1, p, SPAN_WIDTH, g, call.outToken, 1, dv, to.dvWidth);
  sgemm(true, false, keys, call.headDim, rows, call.scale, ds, SPAN_WIDTH, call.q + query, call.qToken, 1, dk, to.dkWidth);
  sgemm(false, false, rows, call.headDim, keys, call.scale, ds, SPAN_WIDTH, k, call.kToken, 1, call.dq + query, call.qToken);
}

/** Adds the sums of the other parts to those of part 0. Units are keys of the heads of the batch elements. */
export function attentionStripsSum(call: AttentionCall, sums: usize, begin: i32, end: i32): void {
  const parts = partsOf(call);
  for (; begin < end; begin++) {
    const head = begin / call.keys;
    const b = head / call.kvHeads;
    const kv = head - b * call.kvHeads;
    const j = begin - head * call.keys;
    for (let part = 1; part < parts; part++) {
      const dk = partSums(call, parts, sums, b, kv, part);
      const dv = dk + ((<usize>call.keys * <usize>call.headDim) << 2);
      addTo(call.dk + keyRow(call, b, kv, j), dk + ((<usize>j * <usize>call.headDim) << 2), call.headDim);
      addTo(call.dv + valueRow(call, b, kv, j), dv + ((<usize>j * <usize>call.valueDim) << 2), call.valueDim);
    }
  }
}
