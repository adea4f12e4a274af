/** A tensor of a safetensors file. */
export interface SafetensorsEntry {
  readonly shape: readonly number[];
  readonly data: Float32Array | Int32Array | Uint8Array;
}

interface HeaderEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly [number, number];
}

const READERS: Record<string, (bytes: ArrayBuffer) => SafetensorsEntry['data']> = {
  F32: (bytes) => new Float32Array(bytes),
  I32: (bytes) => new Int32Array(bytes),
  U8: (bytes) => new Uint8Array(bytes),
};

/** Reads a trusted file of F32, I32 and U8 tensors; on purpose not @burin/checkpoint, which it helps to test. */
export function readSafetensors(file: Uint8Array): Map<string, SafetensorsEntry> {
  const headerLength = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header: Record<string, HeaderEntry> = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + headerLength)));
  delete header.__metadata__;
  const tensors = new Map<string, SafetensorsEntry>();
  for (const [name, { dtype, shape, data_offsets }] of Object.entries(header)) {
    const [start, end] = data_offsets.map((offset) => 8 + headerLength + offset);
    const read = READERS[dtype];
    if (!read) throw new Error(`readSafetensors: ${name}: expected F32, I32 or U8, got ${dtype}`);
    tensors.set(name, { shape, data: read(new Uint8Array(file.subarray(start, end)).buffer) });
  }
  return tensors;
}
