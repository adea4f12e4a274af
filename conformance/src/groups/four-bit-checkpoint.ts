import type { CheckpointEntry } from '@burin/quant-nf4';
import { type HostTensor, hostTensor } from '../host-tensor.js';
import type { Tolerance } from '../manifest.js';
import type { Check } from '../outcome.js';

/** The nested scales hang on the mean of all scales, whose last digits hang on the order in which they are added. */
const SCALES: Tolerance = { atol: 3e-7, rtol: 1e-5 };
const BYTES: Tolerance = { exact: true };

/** Our 4-bit weights beside those of a checkpoint of bitsandbytes: name for name, codes byte for byte. */
export function checkpointChecks(
  file: ReadonlyMap<string, HostTensor>,
  ours: ReadonlyMap<string, CheckpointEntry>,
): Check[] {
  return [...new Set([...file.keys(), ...ours.keys()])].map((name) => {
    const entry = ours.get(name);
    const [actual, expected] = [entry && contents(name, hostTensor(entry)), contents(name, file.get(name))];
    const tolerance = file.get(name)?.data instanceof Uint8Array && !isState(name) ? BYTES : SCALES;
    return { name: `checkpoint: ${name}`, actual, expected, tolerance };
  });
}

/** Shape and elements; of the state, the JSON that its bytes spell. */
function contents(name: string, tensor: HostTensor | undefined): unknown {
  if (!tensor) return null;
  if (isState(name)) return JSON.parse(new TextDecoder().decode(tensor.data as Uint8Array));
  return { shape: tensor.shape, elements: Array.from(tensor.data) };
}

function isState(name: string): boolean {
  return name.includes('.quant_state.');
}
