import { Linear } from '@burin/nn';
import { type FourBitType, fromBitsandbytes, Linear4bit, toBitsandbytes } from '@burin/quant-nf4';
import type { Tensor } from '@burin/tensor';
import { type Case, readEntries } from '../case.js';
import { hostTensor } from '../host-tensor.js';
import { type Check, gradients, type Outcome, read } from '../outcome.js';
import { checkpointChecks } from './four-bit-checkpoint.js';

/** A 4-bit layer made here, and the one that bitsandbytes has written; their bytes are compared too. */
export async function fourBitLinear(c: Case): Promise<Outcome> {
  const { config } = c;
  const linear = Linear.from(c.parameter('weight_original'), c.parameter('bias'));
  const ours = await Linear4bit.fromLinear(linear, {
    type: config.text('quant_type', 'nf4') as FourBitType,
    blockSize: config.number('blocksize'),
    doubleQuant: config.flag('double_quant'),
  });
  const stored = await readEntries(c.path('bnb_checkpoint'));
  const theirs = new Linear4bit(fromBitsandbytes(stored), c.parameter('bias'));
  try {
    const tensors = await read(() => run(c, ours));
    return { tensors, also: [...(await layoutChecks(c, stored, ours)), ...(await loadedChecks(c, theirs))] };
  } finally {
    for (const layer of [ours, theirs]) layer.dispose();
  }
}

function run(c: Case, layer: Linear4bit): Record<string, Tensor | null> {
  const x = c.leaf('x');
  const out = layer.forward(x);
  out.backward(c.tensor('d_out'));
  return { out, weight_dequantized: layer.floatWeight(), ...gradients({ x }) };
}

async function layoutChecks(
  _c: Case,
  stored: Awaited<ReturnType<typeof readEntries>>,
  layer: Linear4bit,
): Promise<Check[]> {
  const bias = { dtype: 'F32', shape: layer.bias!.shape, data: await layer.bias!.bytes() };
  const ours = new Map([...(await toBitsandbytes(layer.weight)), ['bias', bias] as const]);
  const theirs = new Map([...stored].map(([name, entry]) => [name, hostTensor(entry)]));
  return checkpointChecks(theirs, ours);
}

/** The stored layer computes the same. */
async function loadedChecks(c: Case, layer: Linear4bit): Promise<Check[]> {
  const results = Object.entries(await read(() => run(c, layer)));
  return results.map(([name, { data }]) => ({
    name: `${name} of the stored layer`,
    actual: Array.from(data),
    expected: Array.from(c.host(name).data),
    tolerance: c.manifest.tensors[name]!.tolerance ?? {},
  }));
}
