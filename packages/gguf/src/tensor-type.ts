/** How numbers are stored in a GGUF file. */
export type GgufType = 'F32' | 'F16' | 'Q8_0' | 'Q4_0';

/** What ggml knows of a type: its number in files, and how many bytes hold how many elements of a row. */
export interface TypeLayout {
  readonly id: number;
  readonly blockSize: number;
  readonly blockBytes: number;
  /** Number of a file that mostly holds this type: `general.file_type`. */
  readonly fileType: number;
}

/** @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
export const TYPES: Readonly<Record<GgufType, TypeLayout>> = {
  F32: { id: 0, blockSize: 1, blockBytes: 4, fileType: 0 },
  F16: { id: 1, blockSize: 1, blockBytes: 2, fileType: 1 },
  Q4_0: { id: 2, blockSize: 32, blockBytes: 18, fileType: 2 },
  Q8_0: { id: 8, blockSize: 32, blockBytes: 34, fileType: 7 },
};

/** Bytes of a tensor; its rows are whole blocks. */
export function byteLengthOf(type: GgufType, shape: readonly number[]): number {
  const { blockSize, blockBytes } = TYPES[type];
  return (shape.reduce((product, length) => product * length, 1) / blockSize) * blockBytes;
}
