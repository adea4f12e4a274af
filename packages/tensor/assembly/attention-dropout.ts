/** Dropout of attention probabilities: forward and backward recompute the same mask from its counter. */
import { AttentionCall, KEY_BLOCK } from './attention-call';
import { philoxWide, philoxWide0, philoxWide1, philoxWide2, philoxWide3, unit4 } from './philox';

/** Bytes of scratch for `dropoutRow`: words of whole groups of sixteen that cover a row at any offset. */
export const DROPOUT_BYTES: usize = (KEY_BLOCK + 32) * 4;

/**
 * The factors 0 or 1 / (1 − p) of the probabilities of query i and the KEY_BLOCK keys from j0 on. Returns where they
 * lie in `scratch`.
 */
export function dropoutRow(call: AttentionCall, b: i32, h: i32, i: i32, j0: i32, scratch: usize): usize {
  const row = (<u64>b * <u64>call.heads + <u64>h) * <u64>call.queries + <u64>i;
  const first = row * <u64>call.keys + <u64>j0;
  const p = f32x4.splat(call.dropout);
  const kept = f32x4.splat(<f32>(1.0 / (1.0 - <f64>call.dropout)));
  let block = first >> 2;
  for (let at: usize = 0; at < DROPOUT_BYTES - 64; at += 64) {
    philoxWide(call.seedLow, call.seedHigh, call.offsetLow, call.offsetHigh, block);
    v128.store(scratch + at, v128.and(kept, f32x4.ge(unit4(philoxWide0), p)));
    v128.store(scratch + at, v128.and(kept, f32x4.ge(unit4(philoxWide1), p)), 16);
    v128.store(scratch + at, v128.and(kept, f32x4.ge(unit4(philoxWide2), p)), 32);
    v128.store(scratch + at, v128.and(kept, f32x4.ge(unit4(philoxWide3), p)), 48);
    block += 4;
  }
  return scratch + <usize>((first & 3) << 2);
}

/** Probabilities times their factors; `columns` is a multiple of four. */
export function dropRow(row: usize, columns: i32, factors: usize): void {
  for (let j: usize = 0; j < <usize>columns << 2; j += 16) {
    v128.store(row + j, f32x4.mul(v128.load(row + j), v128.load(factors + j)));
  }
}
