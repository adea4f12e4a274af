/**
 * Gradients of attention. The probabilities are recomputed from lse, block by block, as in the forward pass.
 *
 *     p = exp(score − lse)      dp = g · vᵀ      delta = Σ g · out, one number a query
 *     ds = p · (dropped(dp) − delta)
 *     dv = dropped(p)ᵀ · g      dq = scale · ds · k      dk = scale · dsᵀ · q      dbias = ds
 *
 * Dao et al. 2022, https://arxiv.org/abs/2205.14135, appendix B. A unit owns all that it adds to: one key/value head of
 * one batch element with the query heads that read it, or several of them where they share a bias and its gradient is
 * wanted.
 */
import {
  AttentionCall, EDGE, firstKey, firstQuery, KEY_BLOCK, keyRow, lastKey, lseAt, outRow, QUERY_BLOCK, queryRow,
  SCORE_ROW, seenColumns, seesWhole, valueRow,
} from './attention-call';
import { DROPOUT_BYTES, dropoutRow } from './attention-dropout';
import { packTokensAsColumns, packTokensAsSteps, panelsBytes } from './attention-packs';
import { biasAt, markHiddenKeys, scoreRow } from './attention-scores';
import { expNonPositive4, madd4, sumLanes4 } from './math';
import { panelBytes, panelProduct, TILE_BYTES, TILE_ROWS } from './microkernel';

// scratch: a tile, scores (then probabilities), their gradients, hidden keys, dropout factors, delta, then panels
const SCORES: usize = TILE_BYTES;
const GRADIENTS: usize = SCORES + SCORE_ROW * QUERY_BLOCK;
const HIDDEN: usize = GRADIENTS + SCORE_ROW * QUERY_BLOCK;
const DROPOUT: usize = HIDDEN + KEY_BLOCK * 4;
const DELTA: usize = DROPOUT + DROPOUT_BYTES;
const Q_PANELS: usize = DELTA + QUERY_BLOCK * 4;

/** What follows the panels of q: those of g, then those of k or v, one at a time. */
// @ts-ignore: decorator
@inline
function gPanels(call: AttentionCall): usize {
  return Q_PANELS + panelsBytes(QUERY_BLOCK, call.headDim);
}

// @ts-ignore: decorator
@inline
function otherPanels(call: AttentionCall): usize {
  return gPanels(call) + panelsBytes(QUERY_BLOCK, call.valueDim);
}

/** Whether all batch elements, or all heads, add to the same gradient of the bias. */
// @ts-ignore: decorator
@inline
function sharesBatch(call: AttentionCall): bool {
  return call.dbias != 0 && call.biasBatch == 0;
}

// @ts-ignore: decorator
@inline
function sharesHeads(call: AttentionCall): bool {
  return call.dbias != 0 && call.biasHead == 0;
}

export function attentionBackwardUnits(call: AttentionCall): i32 {
  return (sharesBatch(call) ? 1 : call.batch) * (sharesHeads(call) ? 1 : call.kvHeads);
}

/** Bytes of scratch that each caller of `attentionBackward` needs. */
export function attentionBackwardScratch(call: AttentionCall): usize {
  return otherPanels(call) + panelsBytes(KEY_BLOCK, max(call.headDim, call.valueDim));
}

/** Computes the units `begin .. end`. */
export function attentionBackward(call: AttentionCall, begin: i32, end: i32, scratch: usize): void {
  const unitHeads = sharesHeads(call) ? 1 : call.kvHeads;
  for (; begin < end; begin++) {
    const b = begin / unitHeads;
    const kv = begin - b * unitHeads;
    const lastBatch = sharesBatch(call) ? call.batch : b + 1;
    const lastHead = sharesHeads(call) ? call.kvHeads : kv + 1;
    for (let batch = b; batch < lastBatch; batch++) {
      for (let head = kv; head < lastHead; head++) keyValueHead(call, batch, head, scratch);
    }
  }
}

/** One key/value head and the query heads that read it. */
function keyValueHead(call: AttentionCall, b: i32, kv: i32, scratch: usize): void {
  const group = call.heads / call.kvHeads;
  clearRows(call.dk + keyRow(call, b, kv, 0), call.kToken << 2, call.keys, call.headDim);
  clearRows(call.dv + valueRow(call, b, kv, 0), call.vToken << 2, call.keys, call.valueDim);
  for (let h = kv * group; h < (kv + 1) * group; h++) {
    for (let i0 = 0; i0 < call.queries; i0 += QUERY_BLOCK) {
      queryBlock(call, b, h, kv, i0, min(QUERY_BLOCK, call.queries - i0), scratch);
    }
  }
}

/** `rows` rows of `size` zeros, `row` bytes from one to the next. */
export function clearRows(x: usize, row: usize, rows: i32, size: i32): void {
  for (; rows > 0; rows--) {
    memory.fill(x, 0, <usize>size << 2);
    x += row;
  }
}

function queryBlock(call: AttentionCall, b: i32, h: i32, kv: i32, i0: i32, rows: i32, scratch: usize): void {
  const q = queryRow(call, b, h, i0);
  const g = call.g + outRow(call, b, h, i0);
  clearRows(call.dq + q, call.qToken << 2, rows, call.headDim);
  packTokensAsSteps(call.q + q, call.qToken << 2, rows, call.headDim, scratch + Q_PANELS);
  packTokensAsSteps(g, call.outToken << 2, rows, call.valueDim, scratch + gPanels(call));
  for (let i: usize = 0; i < <usize>rows; i++) {
    const at = (i * call.outToken) << 2;
    store<f32>(scratch + DELTA + (i << 2), dot(g + at, call.out + outRow(call, b, h, i0) + at, call.valueDim));
  }
  const last = lastKey(call, i0 + rows);
  for (let j0 = firstKey(call, i0) & ~(KEY_BLOCK - 1); j0 < last; j0 += KEY_BLOCK) {
    const keys = min(KEY_BLOCK, call.keys - j0);
    blockGradients(call, b, h, kv, i0, rows, j0, keys, scratch);
    addToInputs(call, b, h, kv, i0, rows, j0, keys, scratch);
  }
}

/** `Σ x · y`. */
export function dot(x: usize, y: usize, size: i32): f32 {
  let sums = f32x4.splat(0);
  for (; size >= 4; size -= 4) {
    sums = madd4(v128.load(x), v128.load(y), sums);
    x += 16;
    y += 16;
  }
  let sum = sumLanes4(sums);
  for (; size > 0; size--) {
    sum += load<f32>(x) * load<f32>(y);
    x += 4;
    y += 4;
  }
  return sum;
}

/** Fills the block of (dropped) probabilities and the block of gradients of the scores, as far as queries may see. */
function blockGradients(
  call: AttentionCall, b: i32, h: i32, kv: i32, i0: i32, rows: i32, j0: i32, keys: i32, scratch: usize,
): void {
  const panels = scratch + otherPanels(call);
  const q = call.q + queryRow(call, b, h, i0);
  const g = call.g + outRow(call, b, h, i0);
  const step = seesWhole(call, i0, j0, keys) ? rows : EDGE;
  packTokensAsColumns(call.k + keyRow(call, b, kv, j0), call.kToken << 2, keys, call.headDim, panels);
  for (let i = 0; i < rows; i += step) {
    const last = min(i + step, rows);
    const seen = min(keys, seenColumns(call, i0 + last, j0));
    tokenProducts(q, call.qToken << 2, i, last, panels, call.headDim, seen, call.scale, scratch + SCORES, scratch);
  }
  packTokensAsColumns(call.v + valueRow(call, b, kv, j0), call.vToken << 2, keys, call.valueDim, panels);
  const hidden = markHiddenKeys(call, b, j0, keys, scratch + HIDDEN) ? scratch + HIDDEN : 0;
  for (let i = 0; i < rows; i += step) {
    const last = min(i + step, rows);
    const seen = min(keys, seenColumns(call, i0 + last, j0));
    tokenProducts(g, call.outToken << 2, i, last, panels, call.valueDim, seen, 1, scratch + GRADIENTS, scratch);
    scoreGradients(call, b, h, i0, i, last, j0, keys, hidden, scratch);
  }
}

/** In the rows `first .. last`, products become (dropped) probabilities and gradients of the scores. */
function scoreGradients(
  call: AttentionCall, b: i32, h: i32, i0: i32, first: i32, last: i32, j0: i32, keys: i32, hidden: usize, scratch: usize,
): void {
  const columns = seenColumns(call, i0 + last, j0);
  const seen = min(keys, columns);
  for (let i = first; i < last; i++) {
    const p = scratch + SCORES + <usize>i * SCORE_ROW;
    const ds = scratch + GRADIENTS + <usize>i * SCORE_ROW;
    scoreRow(call, b, h, i0 + i, j0, seen, columns, hidden, p);
    const lse = load<f32>(lseAt(call, b, h, i0 + i));
    const delta = load<f32>(scratch + DELTA + (<usize>i << 2));
    const factors = call.dropout > 0 ? dropoutRow(call, b, h, i0 + i, j0, scratch + DROPOUT) : 0;
    rowGradients(p, ds, columns, lse, delta, factors);
    if (call.dbias) addTo(call.dbias + (biasAt(call, b, h, i0 + i, j0) << 2), ds, seen);
  }
}

/** The products of each of the tokens `first .. last` with each of `keys` tokens in panels, times `alpha`. */
function tokenProducts(
  x: usize, xToken: usize, first: i32, last: i32, panels: usize, size: i32, keys: i32, alpha: f32, scores: usize,
  tile: usize,
): void {
  panelProduct(
    x + <usize>first * xToken, xToken * TILE_ROWS, xToken, 4, last - first, panels, panelBytes(size), size, keys,
    scores + <usize>first * SCORE_ROW, SCORE_ROW, alpha, 0, false, tile,
  );
}

/** In place: scores become (dropped) probabilities, products g · v become gradients of the scores. */
export function rowGradients(p: usize, ds: usize, columns: i32, lse: f32, delta: f32, factors: usize): void {
  const end = <usize>columns << 2;
  if (lse == -Infinity) {
    memory.fill(p, 0, end);
    memory.fill(ds, 0, end);
    return;
  }
  const shift = f32x4.splat(lse);
  const deltas = f32x4.splat(delta);
  const one = f32x4.splat(1);
  for (let j: usize = 0; j < end; j += 16) {
    const probability = expNonPositive4(f32x4.sub(v128.load(p + j), shift));
    const factor = factors ? v128.load(factors + j) : one;
    const gradient = f32x4.mul(probability, f32x4.sub(f32x4.mul(v128.load(ds + j), factor), deltas));
    v128.store(p + j, f32x4.mul(probability, factor));
    v128.store(ds + j, gradient);
  }
}

/** `y += x`. */
export function addTo(y: usize, x: usize, size: i32): void {
  for (; size >= 4; size -= 4) {
    v128.store(y, f32x4.add(v128.load(y), v128.load(x)));
    x += 16;
    y += 16;
  }
  for (; size > 0; size--) {
    store<f32>(y, load<f32>(y) + load<f32>(x));
    x += 4;
    y += 4;
  }
}

/** dv += pᵀ · g, dk += scale · dsᵀ · q, dq += scale · ds · k. */
function addToInputs(
  call: AttentionCall, b: i32, h: i32, kv: i32, i0: i32, rows: i32, j0: i32, keys: i32, scratch: usize,
): void {
  const isWhole = seesWhole(call, i0, j0, keys);
  const step = isWhole ? rows : EDGE;
  const keyStep = isWhole ? keys : EDGE;
  for (let j = 0; j < keys; j += keyStep) {
    addToKeys(call, b, kv, j0, j, min(j + keyStep, keys), firstQuery(call, i0, rows, j0 + j), rows, scratch);
  }
  const panels = scratch + otherPanels(call);
  packTokensAsSteps(call.k + keyRow(call, b, kv, j0), call.kToken << 2, keys, call.headDim, panels);
  for (let i = 0; i < rows; i += step) {
    const last = min(i + step, rows);
    const seen = min(keys, seenColumns(call, i0 + last, j0));
    const ds = scratch + GRADIENTS + <usize>i * SCORE_ROW;
    const dq = call.dq + queryRow(call, b, h, i0 + i);
    panelProduct(
      ds, SCORE_ROW * TILE_ROWS, SCORE_ROW, 4, last - i, panels, panelBytes(keys), seen, call.headDim,
      dq, call.qToken << 2, call.scale, 0, true, scratch,
    );
  }
}

/** What the queries `row .. rows` of a block give to its keys and values `first .. last`. */
function addToKeys(
  call: AttentionCall, b: i32, kv: i32, j0: i32, first: i32, last: i32, row: i32, rows: i32, scratch: usize,
): void {
  if (row >= rows) return;
  const dk = call.dk + keyRow(call, b, kv, j0 + first);
  const dv = call.dv + valueRow(call, b, kv, j0 + first);
  // a block read by columns: four keys lie 16 bytes apart, queries a row apart
  const at = <usize>row * SCORE_ROW + (<usize>first << 2);
  const skipped = panelBytes(row);
  panelProduct(
    scratch + SCORES + at, 16, 4, SCORE_ROW, last - first, scratch + gPanels(call) + skipped, panelBytes(rows), rows - row,
    call.valueDim, dv, call.vToken << 2, 1, 0, true, scratch,
  );
  panelProduct(
    scratch + GRADIENTS + at, 16, 4, SCORE_ROW, last - first, scratch + Q_PANELS + skipped, panelBytes(rows), rows - row,
    call.headDim, dk, call.kToken << 2, call.scale, 0, true, scratch,
  );
}
