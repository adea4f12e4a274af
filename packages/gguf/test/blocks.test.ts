import { saveGguf } from '@burin/gguf';
import { Linear, Module, Parameter } from '@burin/nn';
import { tensor } from '@burin/tensor';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { readGguf } from './read-gguf.js';
import { temporaryPaths } from './support.js';

const path = temporaryPaths();

/** A model whose head is the block at hand. */
class OneMatrix extends Module {
  readonly architecture = 'LlamaForCausalLM';
  readonly rawConfig = {
    ...{ vocab_size: 1, hidden_size: 32, num_hidden_layers: 0, num_attention_heads: 1, intermediate_size: 1 },
    model_type: 'llama',
  };
  readonly model: { layers: { '0': { mlp: { up_proj: Linear } } } };

  constructor(values: number[]) {
    super();
    const weight = new Parameter(tensor(Float32Array.from(values), [values.length / 32, 32]));
    this.model = { layers: { '0': { mlp: { up_proj: Linear.from(weight) } } } };
  }
}

async function blocksOf(values: number[], type: 'Q8_0' | 'Q4_0') {
  await saveGguf(new OneMatrix(values), path('one.gguf'), { type });
  return (await readGguf(path('one.gguf'))).tensors.get('blk.0.ffn_up.weight')!;
}

const fill = (...first: number[]) => [...first, ...new Array<number>(32 - first.length).fill(0)];

describe('a block of Q8_0', () => {
  // by hand: the largest magnitude is 127, so d = 1 and codes are the values, halves rounded away from zero
  it('is the scale as float16, then rounded quotients', async () => {
    const { bytes } = await blocksOf(fill(127, -127, 0.5, -0.5, 1.5, -2.4, 2.6), 'Q8_0');
    expect([...bytes.subarray(0, 9)]).toEqual([0x00, 0x3c, 127, 129, 1, 255, 2, 254, 3]);
    expect([...bytes.subarray(9)]).toEqual(new Array(25).fill(0));
  });

  // by hand: d = 1/127 = 0.007874016, as float16 0x2008; 0.3 · 127 = 38.1, 0.5 · 127 = 63.5, up to 64
  it('divides by the scale before it is rounded to float16', async () => {
    const { bytes } = await blocksOf(fill(1, 0.3, 0.5, -0.5), 'Q8_0');
    expect([...bytes.subarray(0, 6)]).toEqual([0x08, 0x20, 127, 38, 64, 192]);
  });

  it('of zeros has scale 0', async () => {
    expect([...(await blocksOf(fill(), 'Q8_0')).bytes]).toEqual(new Array(34).fill(0));
  });
});

describe('a block of Q4_0', () => {
  // by hand: the extreme is -8, so d = 1 (0x3c00) and codes are ⌊value + 8.5⌋, at most 15; element 16 is in the high nibble of the first byte
  it('is the scale as float16, then two halves nibble by nibble', async () => {
    const values = fill(-8, 7, 0, 0.5, -0.5, 7.9);
    values[16] = 3;
    values[17] = -3;
    const { bytes } = await blocksOf(values, 'Q4_0');
    expect([...bytes.subarray(0, 8)]).toEqual([0x00, 0x3c, 0xb0, 0x5f, 0x88, 0x89, 0x88, 0x8f]);
    expect([...bytes.subarray(8)]).toEqual(new Array(10).fill(0x88));
  });

  // by hand: the extreme is +4, so d = -0.5 (0xb800): 4 becomes code 0, -3.5 becomes 15, 1 becomes ⌊-2 + 8.5⌋ = 6
  it('has the sign of what is largest in its scale', async () => {
    const { bytes } = await blocksOf(fill(4, -3.5, 1), 'Q4_0');
    expect([...bytes.subarray(0, 6)]).toEqual([0x00, 0xb8, 0x80, 0x8f, 0x86, 0x88]);
  });

  it('of zeros has scale 0', async () => {
    expect([...(await blocksOf(fill(), 'Q4_0')).bytes]).toEqual([0x00, 0x80, ...new Array(16).fill(0x88)]); // -0, as ggml
  });
});

const block = fc.array(fc.float({ min: Math.fround(-1e3), max: Math.fround(1e3), noNaN: true }), {
  minLength: 64,
  maxLength: 64,
});

// half a step, and the rounding of the scale to float16, 2^-11 of what is largest (and 2^-25 below float16's range)
test.prop([block], { seed: 1 })('Q8_0 is read back within half a step', async (values) => {
  const { values: back } = await blocksOf(values, 'Q8_0');
  for (const [i, value] of values.entries()) {
    const largest = Math.max(...values.slice(i - (i % 32), i - (i % 32) + 32).map(Math.abs));
    expect(Math.abs(back[i]! - value)).toBeLessThanOrEqual(largest * (0.5001 / 127 + 2 ** -11) + 127 * 2 ** -25);
  }
});

// a whole step at the end where 8 would be needed and 7 is the most
test.prop([block], { seed: 2 })('Q4_0 is read back within a step', async (values) => {
  const { values: back } = await blocksOf(values, 'Q4_0');
  for (const [i, value] of values.entries()) {
    const largest = Math.max(...values.slice(i - (i % 32), i - (i % 32) + 32).map(Math.abs));
    expect(Math.abs(back[i]! - value)).toBeLessThanOrEqual(largest * (1.0001 / 8 + 2 ** -11) + 8 * 2 ** -25);
  }
});
