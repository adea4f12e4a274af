import { writeAtomically } from './atomic-file.js';
import { CheckpointError, label } from './errors.js';
import type { Metadata, TensorInfo } from './header.js';
import { layOut } from './layout.js';
import type { OwnBytes } from './own-arrays.js';
import type { TensorBytes } from './read.js';

/** A tensor to be written. `data` may be a function, so that tensors are fetched from a device one at a time. */
export interface TensorToWrite extends Omit<TensorBytes, 'data'> {
  readonly data: Uint8Array | (() => Uint8Array | Promise<Uint8Array>);
}

/** What was written. */
export interface WrittenFile {
  readonly path: string;
  readonly byteLength: number;
  /** In the order in which the tensors lie in the file. */
  readonly tensors: readonly TensorInfo[];
}

/**
 * A whole safetensors file in memory.
 *
 * @param tensors - in any order: the file has the reference implementation's, and is the same byte for byte
 * @param metadata - text to text; readers of PyTorch checkpoints look for `{ format: 'pt' }`
 * @throws CheckpointError if a name comes twice, a dtype or shape is not valid, or `data` has another length than they need
 * @see https://huggingface.co/docs/safetensors/index#format
 * @example
 * writeSafetensors([{ name: 'w', dtype: 'F32', shape: [2], data: new Uint8Array(8) }]).length; // 72
 */
export function writeSafetensors(tensors: Iterable<TensorBytes>, metadata: Metadata = {}): OwnBytes {
  const { header, placed, byteLength } = layOut('writeSafetensors', tensors, metadata);
  for (const { tensor, info } of placed) checkData('writeSafetensors', info, tensor.data);
  const bytes = new Uint8Array(byteLength);
  bytes.set(header);
  for (const { tensor, info } of placed) bytes.set(tensor.data, info.byteOffset);
  return bytes;
}

/**
 * Writes a safetensors file to disk, one tensor after another. It is written aside and then renamed, so that `path` holds
 * the old file or the whole new one at every moment, also when the process is killed or the power fails.
 *
 * @param path - in a folder that exists; a file of this name is replaced
 * @param tensors - as for `writeSafetensors`; where `data` is a function it is called once, when its turn comes
 * @returns what was written, with sizes
 * @throws CheckpointError as `writeSafetensors` does, or if the disk refuses; `path` is then as it was
 */
export async function writeSafetensorsFile(
  path: string,
  tensors: Iterable<TensorToWrite>,
  metadata: Metadata = {},
): Promise<WrittenFile> {
  const { header, placed, byteLength } = layOut(path, tensors, metadata);
  for (const { tensor, info } of placed) if (typeof tensor.data !== 'function') checkData(path, info, tensor.data);
  await writeAtomically('writeSafetensorsFile', path, async (write) => {
    await write(header);
    for (const { tensor, info } of placed) {
      const data = typeof tensor.data === 'function' ? await tensor.data() : tensor.data;
      checkData(path, info, data);
      await write(data);
    }
  });
  return { path, byteLength, tensors: placed.map(({ info }) => info) };
}

function checkData(file: string, { name, dtype, shape, byteLength }: TensorInfo, data: Uint8Array): void {
  if (data.length === byteLength) return;
  throw new CheckpointError(
    `${file}: ${label(name)}: data must have the length that dtype and shape need: expected ${byteLength} bytes ` +
      `(${dtype} [${shape}]), got ${data.length}`,
  );
}
