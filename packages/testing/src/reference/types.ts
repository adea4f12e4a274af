/** Where a reference reads and writes numbers. Arithmetic is float64 either way; float32 rounds what is stored. */
export type Floats = Float32Array | Float64Array;

/** Any storage that a device buffer stands for: float32, float16 and bfloat16 bits, int32, uint8. */
export type Storage = Floats | Uint16Array | Int32Array | Uint8Array;

/** How elements are stored. @burin/tensor's type of the same name. */
export type DType = 'float32' | 'float16' | 'bfloat16' | 'int32' | 'uint8';
