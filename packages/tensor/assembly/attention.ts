/**
 * Attention, block by block with an online softmax (Dao et al. 2022, https://arxiv.org/abs/2205.14135).
 *
 *     score = scale · q·k + bias      p = softmax(score)      out = dropout(p) · v      lse = log Σ exp(score)
 *
 * A unit is one head of one batch element and at most QUERY_BLOCK queries. The rows of out serve as the running sum.
 */
import {
  AttentionCall, EDGE, firstKey, KEY_BLOCK, keyRow, kvHead, lastKey, lseAt, outRow, QUERY_BLOCK, queryRow, SCORE_ROW,
  seenColumns, seesWhole, valueRow,
} from './attention-call';
import { DROPOUT_BYTES, dropoutRow, dropRow } from './attention-dropout';
import { packTokensAsColumns, packTokensAsSteps, panelsBytes } from './attention-packs';
import { markHiddenKeys, scoreRow } from './attention-scores';
import { fourDots } from './dots';
import { panelBytes, panelProduct, TILE_BYTES, TILE_ROWS } from './microkernel';
import { beginSoftmax, finishSoftmax, softmaxPiece, STATE_BYTES } from './online-softmax';
import { addRows } from './row-sums';
import { scaleRow } from './softmax';

/** With so few queries, keys are read where they lie. */
const FEW_QUERIES: i32 = 4;

// scratch: a tile, scores, hidden keys, dropout factors, the state of each row, panels
const SCORES: usize = TILE_BYTES;
const HIDDEN: usize = SCORES + SCORE_ROW * QUERY_BLOCK;
const DROPOUT: usize = HIDDEN + KEY_BLOCK * 4;
const STATES: usize = DROPOUT + DROPOUT_BYTES;
const PANELS: usize = STATES + QUERY_BLOCK * STATE_BYTES;

export function attentionUnits(call: AttentionCall): i32 {
  return call.batch * call.heads * queryBlocks(call);
}

/** Bytes of scratch that each caller of `attention` needs. */
export function attentionScratch(call: AttentionCall): usize {
  return PANELS + panelsBytes(KEY_BLOCK, max(call.headDim, call.valueDim));
}

/** Computes the units `begin .. end`. */
export function attention(call: AttentionCall, begin: i32, end: i32, scratch: usize): void {
  const blocks = queryBlocks(call);
  for (; begin < end; begin++) {
    const head = begin / blocks;
    const i0 = (begin - head * blocks) * QUERY_BLOCK;
    const b = head / call.heads;
    queryBlock(call, b, head - b * call.heads, i0, min(QUERY_BLOCK, call.queries - i0), scratch);
  }
}

// @ts-ignore: decorator
@inline
function queryBlocks(call: AttentionCall): i32 {
  return (call.queries + QUERY_BLOCK - 1) / QUERY_BLOCK;
}

function queryBlock(call: AttentionCall, b: i32, h: i32, i0: i32, rows: i32, scratch: usize): void {
  const out = call.out + outRow(call, b, h, i0);
  for (let i = 0; i < rows; i++) {
    beginSoftmax(out + ((<usize>i * call.outToken) << 2), call.valueDim, stateAt(i, scratch));
  }
  const last = lastKey(call, i0 + rows);
  for (let j0 = firstKey(call, i0) & ~(KEY_BLOCK - 1); j0 < last; j0 += KEY_BLOCK) {
    const keys = min(KEY_BLOCK, call.keys - j0);
    const hidden = markHiddenKeys(call, b, j0, keys, scratch + HIDDEN) ? scratch + HIDDEN : 0;
    if (rows > FEW_QUERIES) packKeys(call, b, h, j0, keys, scratch);
    const step = seesWhole(call, i0, j0, keys) ? rows : EDGE;
    for (let i = 0; i < rows; i += step) {
      scoreRows(call, b, h, i0, i, min(i + step, rows), j0, keys, hidden, scratch);
    }
    if (rows > FEW_QUERIES) packValues(call, b, h, j0, keys, scratch);
    for (let i = 0; i < rows; i += step) addValues(call, b, h, i0, i, min(i + step, rows), j0, keys, scratch);
  }
  for (let i = 0; i < rows; i++) {
    const lse = finishSoftmax(out + ((<usize>i * call.outToken) << 2), call.valueDim, stateAt(i, scratch));
    store<f32>(lseAt(call, b, h, i0 + i), lse);
  }
}

// @ts-ignore: decorator
@inline
function stateAt(i: i32, scratch: usize): usize {
  return scratch + STATES + <usize>i * STATE_BYTES;
}

function packKeys(call: AttentionCall, b: i32, h: i32, j0: i32, keys: i32, scratch: usize): void {
  const k = call.k + keyRow(call, b, kvHead(call, h), j0);
  packTokensAsColumns(k, call.kToken << 2, keys, call.headDim, scratch + PANELS);
}

function packValues(call: AttentionCall, b: i32, h: i32, j0: i32, keys: i32, scratch: usize): void {
  const v = call.v + valueRow(call, b, kvHead(call, h), j0);
  packTokensAsSteps(v, call.vToken << 2, keys, call.valueDim, scratch + PANELS);
}

/** Fills the rows `first .. last` of a block with exp(score − maximum), as far as their queries may see. */
function scoreRows(
  call: AttentionCall, b: i32, h: i32, i0: i32, first: i32, last: i32, j0: i32, keys: i32, hidden: usize, scratch: usize,
): void {
  const columns = seenColumns(call, i0 + last, j0);
  if (columns == 0) return;
  const seen = min(columns, keys);
  products(call, b, h, i0, first, last, j0, seen, scratch);
  for (let i = first; i < last; i++) {
    const row = scratch + SCORES + <usize>i * SCORE_ROW;
    scoreRow(call, b, h, i0 + i, j0, seen, columns, hidden, row);
    softmaxPiece(row, columns, call.out + outRow(call, b, h, i0 + i), call.valueDim, stateAt(i, scratch));
    if (call.dropout > 0) dropRow(row, columns, dropoutRow(call, b, h, i0 + i, j0, scratch + DROPOUT));
  }
}

/** The rows `first .. last` of the block scale · q · kᵀ. */
function products(
  call: AttentionCall, b: i32, h: i32, i0: i32, first: i32, last: i32, j0: i32, keys: i32, scratch: usize,
): void {
  const q = call.q + queryRow(call, b, h, i0 + first);
  const qToken = call.qToken << 2;
  const scores = scratch + SCORES + <usize>first * SCORE_ROW;
  if (last <= FEW_QUERIES) {
    const k = call.k + keyRow(call, b, kvHead(call, h), j0);
    for (let i: usize = 0; i < <usize>(last - first); i++) {
      rowProducts(q + i * qToken, k, call.kToken << 2, keys, call.headDim, scores + i * SCORE_ROW);
      scaleRow(scores + i * SCORE_ROW, keys, call.scale);
    }
    return;
  }
  panelProduct(
    q, qToken * TILE_ROWS, qToken, 4, last - first, scratch + PANELS, panelBytes(call.headDim), call.headDim, keys,
    scores, SCORE_ROW, call.scale, 0, false, scratch,
  );
}

/** One query with each key of a block, where they lie. */
function rowProducts(q: usize, k: usize, kToken: usize, keys: i32, headDim: i32, row: usize): void {
  memory.fill(row, 0, SCORE_ROW);
  for (; keys > 0; keys -= 4) {
    const k1 = keys > 1 ? k + kToken : k;
    const k2 = keys > 2 ? k1 + kToken : k1;
    const k3 = keys > 3 ? k2 + kToken : k2;
    fourDots(q, k, k1, k2, k3, headDim, row);
    k += kToken * 4;
    row += 16;
  }
}

/** `out += p · v` for the rows `first .. last` of a block. */
function addValues(
  call: AttentionCall, b: i32, h: i32, i0: i32, first: i32, last: i32, j0: i32, keys: i32, scratch: usize,
): void {
  const seen = min(keys, seenColumns(call, i0 + last, j0));
  const out = call.out + outRow(call, b, h, i0 + first);
  const outToken = call.outToken << 2;
  const p = scratch + SCORES + <usize>first * SCORE_ROW;
  if (last <= FEW_QUERIES) {
    const v = call.v + valueRow(call, b, kvHead(call, h), j0);
    for (let i: usize = 0; i < <usize>(last - first); i++) {
      addRows(p + i * SCORE_ROW, v, call.vToken << 2, seen, call.valueDim, out + i * outToken);
    }
    return;
  }
  panelProduct(
    p, SCORE_ROW * TILE_ROWS, SCORE_ROW, 4, last - first, scratch + PANELS, panelBytes(keys), seen, call.valueDim,
    out, outToken, 1, 0, true, scratch,
  );
}
