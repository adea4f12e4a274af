import { type IntegerDtype, type TensorBytes, toFloat32, toInt32 } from '@burin/checkpoint';

/** Elements in row-major order, on the host. */
export interface HostTensor {
  readonly shape: readonly number[];
  readonly data: Float32Array | Float64Array | Int32Array | Uint8Array;
}

/** A tensor as a file holds it. */
interface StoredTensor extends Pick<TensorBytes, 'shape' | 'data'> {
  readonly dtype: string;
}

/** What a tensor of a safetensors file holds: floats as float32, bytes as they are, other whole numbers as int32. */
export function hostTensor({ dtype, shape, data }: StoredTensor): HostTensor {
  if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') return { shape, data: toFloat32(data, dtype) };
  if (dtype === 'U8') return { shape, data: new Uint8Array(data) };
  return { shape, data: toInt32(data, dtype as IntegerDtype) };
}
