import type { Tensor } from '@burin/tensor';

/** int32 positions where the host can read them at once (cpu), else null. */
export function hostPositions({ device, dtype, storage, size }: Tensor): Int32Array | null {
  const bytes = dtype === 'int32' ? device.readNow?.(storage.buffer) : null;
  return bytes ? new Int32Array(bytes.buffer, bytes.byteOffset, size) : null;
}
