import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { fileSource, readSafetensors } from '@burin/checkpoint';
import {
  type CausalModel,
  fromPretrained,
  generate,
  generateFromEncoder,
  type ModelOutput,
  type PretrainedModel,
  type Seq2SeqModel,
} from '@burin/models';
import { fromBytes, type Tensor, tensor } from '@burin/tensor';
import { expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** What make_golden.py (transformers) and make_reference.py (written out) wrote: a folder each, with what they computed. */
const GOLDEN = fileURLToPath(new URL('golden/', import.meta.url));
const cases = readdirSync(GOLDEN, { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));

/** The names of a case's tensors. */
const namesIn = (name: string) => [
  ...readSafetensors(readFileSync(`${GOLDEN}${name}/tensors.safetensors`)).tensors.keys(),
];

/** Two layers of float32 with weights of 0.25: sums of tens of products, of size 1 to 10, in another order. */
const LOGITS = { rtol: 1e-4, atol: 3e-5 };
const GRADIENTS = { rtol: 1e-3, atol: 1e-4 };

async function readTensors(name: string): Promise<Map<string, Tensor>> {
  const source = await fileSource(`${GOLDEN}${name}/tensors.safetensors`);
  const file = readSafetensors(await source.read(0, source.size), name);
  const tensors = new Map<string, Tensor>();
  for (const [key, { dtype, shape, data }] of file.tensors) {
    tensors.set(key, fromBytes(data, shape, dtype === 'I32' ? 'int32' : 'float32'));
  }
  await source.close?.();
  return tensors;
}

const camel = (name: string) => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

/** The inputs by our names. */
async function inputsOf(tensors: ReadonlyMap<string, Tensor>): Promise<Record<string, Tensor>> {
  const inputs: Record<string, Tensor> = {};
  for (const [name, value] of tensors) {
    if (/^(loss|logits|generated|grad\.)/.test(name)) continue;
    inputs[camel(name)] = name === 'attention_mask' ? tensor(Uint8Array.from(await value.data()), value.shape) : value;
  }
  return inputs;
}

/** Values of `[B, T, ...]` at real tokens; those of `[B, ...]` as they are. */
async function atTokens(values: Tensor, inputs: Record<string, Tensor>): Promise<number[]> {
  const data = Array.from(await values.data());
  const mask = inputs.attentionMask;
  if (values.shape.length !== 3 || !mask || values.shape[1] !== mask.shape[1] || 'pixelValues' in inputs) return data;
  const real = await mask.data();
  return data.filter((_, i) => real[Math.floor(i / values.shape[2]!)] === 1);
}

describe.each(cases)('%s agrees with its reference', (name) => {
  const load = async () => (await fromPretrained(`${GOLDEN}${name}`)) as unknown as PretrainedModel & CausalModel;

  it('in logits, loss and gradients', async () => {
    const [model, tensors] = [await load(), await readTensors(name)];
    const inputs = await inputsOf(tensors);
    const forward = model.forward.bind(model) as unknown as (inputs: Record<string, Tensor>) => ModelOutput;
    const { logits, loss } = forward(inputs);
    expect(logits.shape).toEqual(tensors.get('logits')!.shape);
    // logits count where a span may lie, which is at padding too, and the mask of a source says nothing of its target
    const masked = 'startPositions' in inputs || 'encode' in model ? {} : inputs;
    expectClose(await atTokens(logits, masked), await atTokens(tensors.get('logits')!, masked), LOGITS, 'logits');
    expectClose([await loss!.item()], [await tensors.get('loss')!.item()], LOGITS, 'loss');
    loss!.backward();
    const parameters = new Map(model.namedParameters({ duplicates: true }));
    const gradients = [...tensors].filter(([key]) => key.startsWith('grad.'));
    expect(gradients.length).toBeGreaterThan(0);
    for (const [key, expected] of gradients) {
      const actual = parameters.get(key.slice(5))?.grad;
      expect(actual, key).toBeTruthy();
      expectClose(await actual!.data(), await expected.data(), GRADIENTS, key);
    }
  });

  if (!namesIn(name).includes('generated')) return;
  it('in what it generates', async () => {
    const [model, tensors] = [await load(), await readTensors(name)];
    const row = Array.from(await tensors.get('generated')!.data());
    const prompt = Array.from(await tensors.get('input_ids')!.narrow(0, 0, 1).data());
    const options = { maxNewTokens: 10, eosTokenIds: [] };
    for (const useCache of [true, false]) {
      const made =
        'encode' in model
          ? await generateFromEncoder(model as unknown as Seq2SeqModel, [prompt], { ...options, useCache })
          : await generate(model, [prompt], { ...options, useCache });
      expect(made).toEqual([row]);
    }
  });
});
