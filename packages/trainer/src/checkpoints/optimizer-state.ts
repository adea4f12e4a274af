import { CheckpointError, type SafetensorsFile, type TensorToWrite, toFloat32 } from '@burin/checkpoint';
import type { OptimizerSnapshot } from '../optimizer.js';

/** The part of an optimizer's state that is no tensor. */
export interface OptimizerIndex {
  readonly paramGroups: readonly object[];
  /** By parameter: updates so far, and the names of its buffers. */
  readonly parameters: Readonly<Record<string, { readonly step: number; readonly buffers: readonly string[] }>>;
}

/** Takes a state apart: numbers for JSON, and tensors called `parameter/buffer`. */
export function splitOptimizerState({ state, paramGroups }: OptimizerSnapshot): {
  index: OptimizerIndex;
  tensors: TensorToWrite[];
} {
  const parameters: Record<string, { step: number; buffers: string[] }> = {};
  const tensors: TensorToWrite[] = [];
  for (const [key, { step, buffers }] of Object.entries(state)) {
    parameters[key] = { step, buffers: Object.keys(buffers) };
    for (const [name, { buffer, byteOffset, byteLength, length }] of Object.entries(buffers)) {
      const data = new Uint8Array(buffer, byteOffset, byteLength);
      tensors.push({ name: `${key}/${name}`, dtype: 'F32', shape: [length], data });
    }
  }
  return { index: { paramGroups, parameters }, tensors };
}

/** Puts it together again. @throws CheckpointError if a tensor is missing */
export async function joinOptimizerState(index: OptimizerIndex, file: SafetensorsFile): Promise<OptimizerSnapshot> {
  const state: Record<string, { step: number; buffers: Record<string, Float32Array> }> = {};
  for (const [key, { step, buffers }] of Object.entries(index.parameters)) {
    const read: Record<string, Float32Array> = {};
    for (const name of buffers) {
      const info = file.tensors.get(`${key}/${name}`);
      if (info?.dtype !== 'F32') {
        throw new CheckpointError(
          `${file.name}: ${key}/${name}: expected a float32 tensor, got ${info?.dtype ?? 'none'}`,
        );
      }
      read[name] = toFloat32(await file.read(info.name), 'F32');
    }
    state[key] = { step, buffers: read };
  }
  return { state, paramGroups: index.paramGroups };
}
