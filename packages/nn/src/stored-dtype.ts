import type { DType } from '@burin/tensor';

/** What safetensors files call the dtypes of tensors. */
export const STORED_DTYPES = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  uint8: 'U8',
} as const satisfies Record<DType, string>;

export type StoredDtype = (typeof STORED_DTYPES)[DType];

/** The dtype of a safetensors name; undefined for one that no tensor has. */
export function tensorDtype(stored: string): DType | undefined {
  return (Object.keys(STORED_DTYPES) as DType[]).find((dtype) => STORED_DTYPES[dtype] === stored);
}
