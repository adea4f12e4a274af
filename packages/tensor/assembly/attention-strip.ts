/**
 * What attention does between its products where a BLAS makes these: some queries of one head, with all keys that one of
 * them may see, are a strip of scores whose rows are complete.
 *
 * A row holds scale · q·k for the keys `j0 .. j0 + keys`, fills them up to a multiple of four, and ends with scratch for
 * whoever works on it. Units are rows.
 */
import { AttentionCall, KEY_BLOCK, lseAt, outRow } from './attention-call';
import { addTo, dot, rowGradients } from './attention-backward';
import { DROPOUT_BYTES, dropoutRow, dropRow } from './attention-dropout';
import { biasAt, scoreRow } from './attention-scores';
import { emptyRow, exponentials, logOf, rowMax, scaleRow } from './softmax';

/** Bytes of a row for up to `keys` keys. */
export function attentionStripRow(keys: i32): usize {
  return (<usize>columnsOf(keys) << 2) + DROPOUT_BYTES;
}

/** The rows `begin .. end` of a strip, the first of which is query i0, become (dropped) probabilities; sets lse. */
export function attentionStrip(
  call: AttentionCall, b: i32, h: i32, i0: i32, j0: i32, keys: i32, strip: usize, rowBytes: usize, begin: i32, end: i32,
): void {
  for (let i = begin; i < end; i++) {
    const row = strip + <usize>i * rowBytes;
    stripScores(call, b, h, i0 + i, j0, keys, row);
    store<f32>(lseAt(call, b, h, i0 + i), softmaxRow(row, keys));
    if (call.dropout > 0) dropKeys(call, b, h, i0 + i, j0, keys, row, row + rowBytes - DROPOUT_BYTES);
  }
}

/** As `attentionStrip`, with the probabilities from lse; and the products g · v of `gradients` become ds. */
export function attentionStripBackward(
  call: AttentionCall, b: i32, h: i32, i0: i32, j0: i32, keys: i32, strip: usize, gradients: usize, rowBytes: usize,
  begin: i32, end: i32,
): void {
  for (let i = begin; i < end; i++) {
    const p = strip + <usize>i * rowBytes;
    const ds = gradients + <usize>i * rowBytes;
    stripScores(call, b, h, i0 + i, j0, keys, p);
    const out = outRow(call, b, h, i0 + i);
    const delta = dot(call.g + out, call.out + out, call.valueDim);
    const lse = load<f32>(lseAt(call, b, h, i0 + i));
    const scratch = p + rowBytes - DROPOUT_BYTES;
    for (let j = 0; j < keys; j += KEY_BLOCK) {
      const at = <usize>j << 2;
      const factors = call.dropout > 0 ? dropoutRow(call, b, h, i0 + i, j0 + j, scratch) : 0;
      rowGradients(p + at, ds + at, min(KEY_BLOCK, columnsOf(keys) - j), lse, delta, factors);
    }
    if (call.dbias) addTo(call.dbias + (biasAt(call, b, h, i0 + i, j0) << 2), ds, keys);
  }
}

/** The numbers of a row of a strip. */
// @ts-ignore: decorator
@inline
function columnsOf(keys: i32): i32 {
  return (keys + 3) & ~3;
}

function stripScores(call: AttentionCall, b: i32, h: i32, i: i32, j0: i32, keys: i32, row: usize): void {
  scoreRow(call, b, h, i, j0, keys, keys, 0, row);
  if (call.keyMask) {
    const mask = call.keyMask + <usize>b * <usize>call.keys + <usize>j0;
    for (let j: usize = 0; j < <usize>keys; j++) {
      if (load<u8>(mask + j) == 0) store<f32>(row + (j << 2), -Infinity);
    }
  }
}

/** A row of scores becomes exp(score) / Σ exp(score); returns the logarithm of the sum. One of only −∞ becomes zeros. */
function softmaxRow(row: usize, keys: usize): f32 {
  const largest = rowMax(row, keys);
  if (largest == -Infinity) {
    emptyRow(row, row, keys, 0.0);
    return keys ? load<f32>(row) - Infinity : -Infinity; // NaN where a score was
  }
  const sum = exponentials(row, row, keys, largest);
  scaleRow(row, keys, f32(1.0 / sum));
  return largest + logOf(sum);
}

function dropKeys(
  call: AttentionCall, b: i32, h: i32, i: i32, j0: i32, keys: i32, row: usize, scratch: usize,
): void {
  for (let j = 0; j < keys; j += KEY_BLOCK) {
    dropRow(row, min(KEY_BLOCK, columnsOf(keys) - j), dropoutRow(call, b, h, i, j0 + j, scratch));
    row += KEY_BLOCK * 4;
  }
}
