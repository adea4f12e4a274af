// float16 and bfloat16 on the host: what is uploaded and read back is converted here, the GPU holds float32.

const floats = new Float32Array(1);
const bits = new Uint32Array(floats.buffer);

/** The float32 values of float16 numbers (all are exact). */
export function fromFloat16(halves: Uint16Array): Float32Array {
  return Float32Array.from(halves, (half) => {
    const sign = half & 0x8000 ? -1 : 1;
    const exponent = (half >> 10) & 31;
    const fraction = half & 1023;
    if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}

/** float16 of numbers that are float16 already, as the GPU keeps them: nothing is rounded. */
export function toFloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(values, (value) => {
    floats[0] = value;
    const sign = (bits[0]! >>> 16) & 0x8000;
    const magnitude = Math.abs(value);
    if (Number.isNaN(value)) return sign | 0x7e00;
    if (magnitude > 65504) return sign | 0x7c00;
    if (magnitude < 2 ** -14) return sign | (magnitude * 2 ** 24);
    return sign | (((bits[0]! & 0x7fffffff) - (112 << 23)) >>> 13);
  });
}

export function fromBfloat16(halves: Uint16Array): Float32Array {
  return new Float32Array(Uint32Array.from(halves, (half) => half << 16).buffer);
}

/** bfloat16 of numbers that are bfloat16 already. */
export function toBfloat16(values: Float32Array): Uint16Array {
  return Uint16Array.from(new Uint32Array(values.slice().buffer), (word) => word >>> 16);
}
