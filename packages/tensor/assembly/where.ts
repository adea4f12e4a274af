/** `y = condition ? a : b`, broadcast as in binary.ts; `condition` is bytes, true where not 0. */
import { loadTail4, storeTail4 } from './lanes';
import { rowStart } from './odometer';

export function where(
  condition: usize, a: usize, b: usize, y: usize, dims: usize, rank: usize, length: usize,
  conditionStep: usize, aStep: usize, bStep: usize, begin: usize, end: usize,
): void {
  if (begin >= end) return; // a length of 0 has no rows
  let row = begin / length;
  let column = begin - row * length;
  for (let i = begin; i < end; row++) {
    const count = min<usize>(length - column, end - i);
    const conditionRow = condition + rowStart(dims, rank, 0, row) + column * conditionStep;
    const aRow = a + ((rowStart(dims, rank, 1, row) + column * aStep) << 2);
    const bRow = b + ((rowStart(dims, rank, 2, row) + column * bStep) << 2);
    const yRow = y + (i << 2);
    if (conditionStep == 1 && aStep <= 1 && bStep <= 1) select(conditionRow, aRow, bRow, yRow, aStep, bStep, count);
    else selectStrided(conditionRow, aRow, bRow, yRow, conditionStep, aStep << 2, bStep << 2, count);
    i += count;
    column = 0;
  }
}

/** Contiguous conditions; a and b contiguous or one value. */
function select(condition: usize, a: usize, b: usize, y: usize, aStep: usize, bStep: usize, count: usize): void {
  const aValue = v128.load32_splat(a);
  const bValue = v128.load32_splat(b);
  const whole = count & ~3;
  for (let i: usize = 0; i < whole; i += 4) {
    const chosen = aStep ? v128.load(a + (i << 2)) : aValue;
    const other = bStep ? v128.load(b + (i << 2)) : bValue;
    v128.store(y + (i << 2), choose(v128.load32_zero(condition + i), chosen, other));
  }
  const rest = count - whole;
  if (!rest) return;
  const chosen = aStep ? loadTail4(a + (whole << 2), rest) : aValue;
  const other = bStep ? loadTail4(b + (whole << 2), rest) : bValue;
  let bytes = v128.load8_splat(condition + whole);
  if (rest > 1) bytes = v128.load_lane<u8>(condition + whole, bytes, 1, 1);
  if (rest > 2) bytes = v128.load_lane<u8>(condition + whole, bytes, 2, 2);
  storeTail4(y + (whole << 2), choose(bytes, chosen, other), rest);
}

/** The first four bytes of `bytes` choose lane by lane. */
// @ts-ignore: decorator
@inline
function choose(bytes: v128, a: v128, b: v128): v128 {
  const wide = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bytes));
  return v128.bitselect(b, a, i32x4.eq(wide, i32x4.splat(0)));
}

function selectStrided(
  condition: usize, a: usize, b: usize, y: usize, conditionStep: usize, aStep: usize, bStep: usize, count: usize,
): void {
  for (let i: usize = 0; i < count; i++) {
    const source = load<u8>(condition + i * conditionStep) ? a + i * aStep : b + i * bStep;
    store<u32>(y + (i << 2), load<u32>(source));
  }
}
