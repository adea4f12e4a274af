import type { SafetensorsDtype } from '@burin/checkpoint';
import type { DType } from '@burin/tensor';

/** What a tensor is called in a safetensors file. */
export const STORED_DTYPES: Readonly<Record<DType, SafetensorsDtype>> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  uint8: 'U8',
};

/** The dtype of a safetensors name; undefined for one that no tensor has. */
export function tensorDtype(stored: SafetensorsDtype): DType | undefined {
  return (Object.keys(STORED_DTYPES) as DType[]).find((dtype) => STORED_DTYPES[dtype] === stored);
}
