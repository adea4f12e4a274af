/**
 * Walking over a broadcast or permuted array: `dims` points to int32s, the outer sizes and then, for each operand, its
 * outer strides in elements. The last axis is not among them; the caller's inner loop does that one.
 */

// @ts-ignore: decorator
@inline
function at(dims: usize, index: usize): usize {
  return load<u32>(dims + (index << 2));
}

/** The element at which row `row` of operand `operand` starts; `rank` counts the outer axes. */
export function rowStart(dims: usize, rank: usize, operand: usize, row: usize): usize {
  const strides = dims + ((rank * (operand + 1)) << 2);
  let start: usize = 0;
  for (let axis = rank; axis > 0; axis--) {
    const size = at(dims, axis - 1);
    const next = row / size;
    start += (row - next * size) * at(strides, axis - 1);
    row = next;
  }
  return start;
}
