/** Numbers that look random. */
export function values(shape) {
  const size = shape.reduce((product, length) => product * length, 1);
  return Float32Array.from({ length: size }, (_, i) => Math.sin(i * 12.9898));
}

/** Peers are measured, not tested. */
export function doneHere() {}
