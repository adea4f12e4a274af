const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The bits of a float32, as it travels between the 32-bit words of a kernel's arguments. */
export function floatBits(value: number): number {
  float[0] = value;
  return bits[0]!;
}
