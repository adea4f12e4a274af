/** Every multi-index of `shape`, the last axis fastest; `[]` has one, a shape with a 0 has none. */
export function* indices(shape: readonly number[]): Generator<readonly number[]> {
  const total = shape.reduce((product, length) => product * length, 1);
  for (let flat = 0; flat < total; flat++) {
    const index = new Array<number>(shape.length);
    let rest = flat;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = rest % shape[axis]!;
      rest = Math.floor(rest / shape[axis]!);
    }
    yield index;
  }
}

/** Where `index` lies, in elements: Σ index · strides. */
export function offsetOf(index: readonly number[], strides: readonly number[]): number {
  return index.reduce((sum, position, axis) => sum + position * strides[axis]!, 0);
}
