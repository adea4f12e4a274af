import { readFileSync } from 'node:fs';
import { Conv1D, Linear, type LinearLike, loadStateDict, Module, Parameter, stateDict } from '@burin/nn';
import { Generator, rand, type Tensor, tensor } from '@burin/tensor';
import { expectClose, readFixture } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { pythonFloat } from '../src/bitsandbytes.js';
import {
  type CheckpointEntry,
  dequantizeModel,
  fromBitsandbytes,
  Linear4bit,
  loadQuantized,
  quantize4bit,
  quantizedNames,
  quantizedState,
  toBitsandbytes,
} from '../src/index.js';

const SUMS = { rtol: 1e-4, atol: 1e-5 }; // the same sums of 40 products in another order

/** The tensors of a safetensors file, as bytes. */
function readEntries(path: string): Map<string, CheckpointEntry> {
  const file = readFileSync(new URL(`../../../fixtures/${path}`, import.meta.url));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, start).toString()) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  delete header.__metadata__;
  return new Map(
    Object.entries(header).map(
      ([
        name,
        {
          dtype,
          shape,
          data_offsets: [from, to],
        },
      ]) => {
        return [name, { dtype, shape, data: new Uint8Array(file.subarray(start + from, start + to)) }];
      },
    ),
  );
}

describe("bitsandbytes' own checkpoint of a layer", () => {
  const entries = readEntries('nf4/nf4_linear/bnb_checkpoint.safetensors');

  it('is read', async () => {
    const fixture = readFixture('nf4', 'nf4_linear');
    const weight = fromBitsandbytes(entries);
    expect(weight.shape).toEqual([24, 40]);
    expectClose(
      await weight.dequantize().data(),
      fixture.floats('weight_dequantized'),
      fixture.tolerance('weight_dequantized'),
    );
  });

  it('is written again byte for byte', async () => {
    const { bias: _, ...own } = Object.fromEntries(entries);
    expect(Object.fromEntries(await toBitsandbytes(fromBitsandbytes(entries)))).toEqual(own);
  });

  it('is what quantizing the same weight gives, to the last byte but those of two sums', async () => {
    const fixture = readFixture('nf4', 'nf4_linear');
    const weight = await quantize4bit(tensor(fixture.floats('weight_original'), [24, 40]), { doubleQuant: true });
    const written = await toBitsandbytes(weight);
    expect([...written.keys()].sort()).toEqual([...entries.keys()].filter((name) => name !== 'bias').sort());
    for (const name of ['weight', 'weight.absmax', 'weight.quant_map', 'weight.nested_quant_map']) {
      expect(written.get(name), name).toEqual(entries.get(name));
    }
  });
});

describe("a model's checkpoint", () => {
  class Block extends Module {
    qProj = new Linear(48, 48, { bias: false, rng: new Generator(1) });
  }
  class Model extends Module {
    model = { layers: [{ self_attn: new Block() }] };
    norm = new Block();
  }
  const path = 'model.layers.0.self_attn.q_proj';
  const file = readEntries('peft/qlora_llama/base_quantized.safetensors');
  const own = new Map([...file].filter(([name]) => name.startsWith(`${path}.`)));

  it('puts its 4-bit weights into a model, and comes out of it again', async () => {
    expect(quantizedNames(file.keys())).toContain(`${path}.weight`);
    const model = new Model();
    const { memory } = model.norm.qProj.weight.device;
    const before = memory.liveBytes;
    expect(loadQuantized(model, own)).toEqual([path]);
    const layer = model.getModule(path) as Linear4bit;
    expect(layer).toBeInstanceOf(Linear4bit);
    expect(memory.liveBytes - before).toBe(layer.weight.byteLength - 4 * 48 * 48);
    expect(Object.fromEntries(await quantizedState(model))).toEqual(Object.fromEntries(own));
  });

  it('stands for a Conv1D where the model has one, and becomes one again', async () => {
    class Transposed extends Module {
      cProj: LinearLike;
      constructor(weight: Float32Array) {
        super();
        this.cProj = new Conv1D(
          new Parameter(tensor(weight, [40, 24])),
          new Parameter(rand([24], { rng: new Generator(2) })),
        );
      }
    }
    const file = readEntries('nf4/nf4_linear/bnb_checkpoint.safetensors');
    const named = new Map([...file].map(([name, entry]) => [`c_proj.${name}`, entry]));
    const model = new Transposed(new Float32Array(40 * 24));
    expect(loadQuantized(model, named)).toEqual(['c_proj']);
    const x = rand([3, 40], { rng: new Generator(3) });
    const y = await model.cProj.forward(x).data();
    await dequantizeModel(model);
    expect(model.cProj).toBeInstanceOf(Conv1D);
    expectClose(await model.cProj.forward(x).data(), y, SUMS);
    expect((await Linear4bit.fromLinear(model.cProj)).toLinear()).toBeInstanceOf(Conv1D);
  });

  it('is the way into 4-bit weights: a state dict does not hold all of one', () => {
    const [before, after] = [new Model(), new Model()];
    for (const model of [before, after]) loadQuantized(model, own);
    const state = stateDict(before);
    expect(() => loadStateDict(after, state)).toThrow(
      `loadStateDict: ${path}.weight.packed: a 4-bit weight is more than its tensors: load it with loadQuantized`,
    );
    const parameters = new Map<string, Tensor>(before.namedParameters());
    expect(loadStateDict(after, parameters, { strict: false }).missing).toContain(`${path}.weight.packed`);
  });

  it('must have the shapes of the model', () => {
    const file = readEntries('nf4/nf4_linear/bnb_checkpoint.safetensors');
    const named = new Map([...file].map(([name, entry]) => [`${path}.${name}`, entry]));
    expect(() => loadQuantized(new Model(), named)).toThrow(`${path}.weight: expected [48,48], got [24,40]`);
    const elsewhere = new Map([...file].map(([name, entry]) => [`norm.${name}`, entry]));
    expect(() => loadQuantized(new Model(), elsewhere)).toThrow('norm: a Linear is expected, got Block');
  });
});

describe('a checkpoint that is not whole', () => {
  const entries = readEntries('nf4/nf4_linear/bnb_checkpoint.safetensors');
  const key = 'weight.quant_state.bitsandbytes__nf4';
  const state = JSON.parse(new TextDecoder().decode(entries.get(key)!.data)) as Record<string, unknown>;
  const withState = (text: string) =>
    new Map([...entries, [key, { dtype: 'U8', shape: [text.length], data: new TextEncoder().encode(text) }]]);

  it.each([...entries.keys()].filter((name) => name !== 'bias' && name !== key))(
    'names %s where it is missing or short',
    (name) => {
      const without = new Map([...entries].filter(([other]) => other !== name));
      expect(() => fromBitsandbytes(without)).toThrow(
        `${name}: it must be in the checkpoint, got nothing of this name`,
      );
      const entry = entries.get(name)!;
      const short = new Map([...entries, [name, { ...entry, data: entry.data.slice(4) }]]);
      expect(() => fromBitsandbytes(short)).toThrow(`${name}: expected `);
      const other = new Map([...entries, [name, { ...entry, dtype: 'I64' }]]);
      expect(() => fromBitsandbytes(other)).toThrow(`${name}: expected ${entry.dtype}, got I64`);
    },
  );

  it('has no state', () => {
    expect(() => fromBitsandbytes(new Map())).toThrow(
      'weight.quant_state.bitsandbytes__nf4 or ...fp4 must be in the checkpoint',
    );
    expect(() => fromBitsandbytes(withState('{'))).toThrow(`${key}: it must be JSON text`);
    expect(() => fromBitsandbytes(withState('null'))).toThrow(`${key}: an object is expected, got null`);
  });

  it.each([
    [{ quant_type: 'int4' }, 'quant_type must be nf4 or fp4 as in the name'],
    [{ quant_type: 'fp4' }, 'quant_type must be nf4 or fp4 as in the name'],
    [{ dtype: 'int8' }, 'dtype must be one of float32, float16, bfloat16'],
    [{ shape: [24, -40] }, 'shape must be whole numbers of 1 or more'],
    [{ shape: [2 ** 30, 2 ** 30] }, 'shape must have a countable size'],
    [{ shape: [24, 41] }, 'weight: expected 492 elements, got [480,1] of 480 bytes'],
    [{ blocksize: 0 }, 'blocksize must be a whole number of 1 or more'],
    [{ blocksize: 65 }, 'blockSize must be a power of two'],
    [{ nested_blocksize: 0.5 }, 'nested_blocksize must be a whole number of 1 or more'],
    [{ nested_offset: 'x' }, 'nested_offset must be a number'],
  ])('says %j', (fields, message) => {
    expect(() => fromBitsandbytes(withState(JSON.stringify({ ...state, ...fields })))).toThrow(message);
  });

  it('has another table', () => {
    const table = new Map([...entries, ['weight.quant_map', { dtype: 'F32', shape: [16], data: new Uint8Array(64) }]]);
    expect(() => fromBitsandbytes(table)).toThrow('weight.quant_map: it must be the table of nf4, got 0, 0');
  });
});

it.each([
  [0.2523936331272125, '0.2523936331272125'],
  [1, '1.0'],
  [0, '0.0'],
  [0.00009536743, '9.536743e-05'],
  [1e-12, '1e-12'],
  [1.5e16, '1.5e+16'],
])('writes %d as Python does', (value, text) => expect(pythonFloat(value)).toBe(text));
