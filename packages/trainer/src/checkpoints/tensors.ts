import { CheckpointError, type SafetensorsFile } from '@burin/checkpoint';
import { type Module, STORED_DTYPES } from '@burin/nn';
import { fromBytes, type Tensor } from '@burin/tensor';
import { changingBuffers, trainableParameters } from '../model.js';

/** What training changes: trainable parameters, and buffers. */
export function trainedTensors(model: Module): Map<string, Tensor> {
  return new Map<string, Tensor>([...trainableParameters(model), ...changingBuffers(model)]);
}

/**
 * Copies a file's tensors into those of the same names, bit for bit.
 *
 * @throws CheckpointError if a name is missing or unknown, or a shape or dtype differs; then nothing has changed
 */
export async function readInto(file: SafetensorsFile, tensors: ReadonlyMap<string, Tensor>): Promise<void> {
  for (const name of file.tensors.keys()) {
    if (!tensors.has(name)) throw mismatch(file, name, 'no tensor that is trained has this name');
  }
  for (const [name, tensor] of tensors) {
    const found = file.tensors.get(name);
    if (!found) throw mismatch(file, name, 'it is trained, and not in the checkpoint');
    const [expected, got] = [`${STORED_DTYPES[tensor.dtype]} [${tensor.shape}]`, `${found.dtype} [${found.shape}]`];
    if (expected !== got) throw mismatch(file, name, `expected ${expected}, got ${got}`);
  }
  for (const [name, tensor] of tensors) {
    const read = fromBytes(await file.read(name), tensor.shape, tensor.dtype, { device: tensor.device });
    tensor.copy_(read);
    read.dispose();
  }
}

function mismatch({ name: path }: SafetensorsFile, name: string, why: string): CheckpointError {
  return new CheckpointError(`${path}: ${name}: ${why}; resume with the model and the frozen layers of the first run`);
}
