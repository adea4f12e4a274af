/** From products scale · q·k to scores: bias, and −∞ where a query may not look. One row of a block at a time. */
import { AttentionCall, KEY_BLOCK } from './attention-call';
import { loadTail4 } from './lanes';

/**
 * Marks the keys `j0 .. j0 + keys` of a block that no query may see: ones in the lanes of those that `keyMask` hides,
 * and of those past the last key. Returns whether there are any.
 */
export function markHiddenKeys(call: AttentionCall, b: i32, j0: i32, keys: i32, hidden: usize): bool {
  let any = keys < KEY_BLOCK;
  const mask = call.keyMask + <usize>b * <usize>call.keys + <usize>j0;
  for (let j = 0; j < KEY_BLOCK; j++) {
    const hide = j >= keys || (call.keyMask != 0 && load<u8>(mask + <usize>j) == 0);
    store<i32>(hidden + (<usize>j << 2), hide ? -1 : 0);
    if (hide) any = true;
  }
  return any;
}

/**
 * Turns a row of scaled products of query i with `keys` keys from j0 on into scores; of `columns`, those past the keys
 * are hidden. `hidden` is 0 if none is.
 */
export function scoreRow(
  call: AttentionCall, b: i32, h: i32, i: i32, j0: i32, keys: i32, columns: i32, hidden: usize, row: usize,
): void {
  if (call.bias) addBias(call.bias + (biasAt(call, b, h, i, j0) << 2), keys, row);
  if (hidden) hideKeys(row, hidden, columns);
  if (call.keySegments) hideOtherSegments(call, b, i, j0, keys, row);
  hideOutsideWindow(call, i, j0, keys, row);
}

function addBias(bias: usize, keys: i32, row: usize): void {
  const end = row + (<usize>keys << 2);
  for (; row + 16 <= end; row += 16) {
    v128.store(row, f32x4.add(v128.load(row), v128.load(bias)));
    bias += 16;
  }
  if (row < end) v128.store(row, f32x4.add(v128.load(row), loadTail4(bias, (end - row) >> 2)));
}

/** Where the bias of query i and key j lies, in elements. */
// @ts-ignore: decorator
@inline
export function biasAt(call: AttentionCall, b: i32, h: i32, i: i32, j: i32): usize {
  return <usize>b * call.biasBatch + <usize>h * call.biasHead + <usize>i * call.biasToken + <usize>j;
}

function hideKeys(row: usize, hidden: usize, columns: i32): void {
  const nothing = f32x4.splat(-Infinity);
  for (let j: usize = 0; j < <usize>columns << 2; j += 16) {
    v128.store(row + j, v128.bitselect(nothing, v128.load(row + j), v128.load(hidden + j)));
  }
}

function hideOtherSegments(call: AttentionCall, b: i32, i: i32, j0: i32, keys: i32, row: usize): void {
  const own = load<i32>(call.querySegments + ((<usize>b * <usize>call.queries + <usize>i) << 2));
  const segments = call.keySegments + ((<usize>b * <usize>call.keys + <usize>j0) << 2);
  for (let j: usize = 0; j < <usize>keys << 2; j += 4) {
    if (load<i32>(segments + j) != own) store<f32>(row + j, -Infinity);
  }
}

function hideOutsideWindow(call: AttentionCall, i: i32, j0: i32, keys: i32, row: usize): void {
  const position = call.queryOffset + i - j0;
  if (call.windowLeft >= 0) hide(row, 0, min(keys, position - call.windowLeft));
  if (call.windowRight >= 0) hide(row, max(0, position + call.windowRight + 1), keys);
}

// @ts-ignore: decorator
@inline
function hide(row: usize, from: i32, to: i32): void {
  for (let j = from; j < to; j++) store<f32>(row + (<usize>j << 2), -Infinity);
}
