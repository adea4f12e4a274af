import { readdirSync, readFileSync, statSync } from 'node:fs';
import { applyLora } from '@burin/lora';
import { fromPretrained, GPT2LMHeadModel, type LlamaForCausalLM } from '@burin/models';
import type { Module } from '@burin/nn';
import { dequantizeModel, to4bit } from '@burin/quant-nf4';
import { rand } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { ids, logitsOf, rng, temporaryFolders, tinyLlama } from './support.js';

const folder = temporaryFolders();
const input = ids([1, 2, 3, 4, 5, 6]);

/** Largest relative rounding of a weight as it is stored, through a few layers of sums. */
const ROUNDED = {
  float32: EXACT,
  float16: { rtol: 2e-2, atol: 2e-2 }, // 2^-11 a weight
  bfloat16: { rtol: 1e-1, atol: 2e-1 }, // 2^-8 a weight
} as const;

/** A model whose adapter was trained and merged into its weights, over a float or a 4-bit base. */
async function merged(name: string, fourBit: boolean): Promise<LlamaForCausalLM> {
  await tinyLlama().savePretrained(folder(name), { replace: true });
  const options = fourBit ? { convert: to4bit({ blockSize: 32 }) } : {};
  const model = (await fromPretrained(folder(name), options)) as LlamaForCausalLM;
  const adapter = applyLora(model, { rank: 2, targetModules: ['q_proj', 'down_proj'], rng: rng(3) });
  for (const [parameter, b] of model.namedParameters()) {
    if (parameter.includes('lora_B')) b.copy_(rand(b.shape, { rng: rng(4), low: -0.1, high: 0.1 }));
  }
  await adapter.mergeAndUnload();
  await dequantizeModel(model);
  return model;
}

/** Gives what an adapter trains other values. */
function train(model: Module): void {
  for (const [name, parameter] of model.namedParameters()) {
    if (!/lora_B|modules_to_save/.test(name)) continue;
    parameter.copy_(rand(parameter.shape, { rng: rng(4), low: -0.5, high: 0.5 }));
  }
}

describe('a model that was merged', () => {
  it('has its Conv1D layers the way that GPT-2 has them', async () => {
    const options = { vocabSize: 20, nEmbd: 8, nLayer: 1, nHead: 2, nPositions: 16, initializerRange: 0.3 };
    const model = GPT2LMHeadModel.create(options, { rng: rng(1) }).eval();
    const adapter = applyLora(model, { rank: 2, targetModules: ['attn.c_proj', 'c_fc'], rng: rng(3) });
    train(model);
    const logits = await logitsOf(model, input);
    await adapter.mergeAndUnload();
    await model.savePretrained(folder('merged gpt2'));
    const loaded = await GPT2LMHeadModel.fromPretrained(folder('merged gpt2'));
    expectClose(await logitsOf(loaded, input), logits, { rtol: 1e-4, atol: 1e-4 }); // the same sums in another order
  });

  it.each([
    ['head was adapted', { targetModules: 'lm_head' }],
    ['head was trained as a copy', { targetModules: 'q_proj', modulesToSave: 'lm_head' }],
    ['embeddings were trained as a copy', { targetModules: 'q_proj', modulesToSave: 'embed_tokens' }],
  ])('is tied no more where its %s', async (name, options) => {
    const model = tinyLlama({ tieWordEmbeddings: true }).eval();
    const adapter = applyLora(model, { rank: 2, ...options, rng: rng(3) });
    train(model);
    await adapter.mergeAndUnload();
    await model.savePretrained(folder(name));
    const loaded = (await fromPretrained(folder(name))) as LlamaForCausalLM;
    expect(loaded.config.tieWordEmbeddings).toBe(false);
    expectClose(await logitsOf(loaded, input), await logitsOf(model, input), EXACT);
  });

  it('is tied where nothing of it came between', async () => {
    const model = tinyLlama({ tieWordEmbeddings: true });
    const adapter = applyLora(model, { rank: 2, targetModules: 'q_proj', rng: rng(3) });
    await adapter.mergeAndUnload();
    await model.savePretrained(folder('still tied'));
    expect(((await fromPretrained(folder('still tied'))) as LlamaForCausalLM).config.tieWordEmbeddings).toBe(true);
  });
});

describe.each([
  ['a float base', false],
  ['a 4-bit base', true],
])('a model merged on %s', (base, fourBit) => {
  it.each(['float32', 'float16', 'bfloat16'] as const)('is saved as %s, and gives what it gave', async (dtype) => {
    const model = await merged(`${base} ${dtype}`, fourBit);
    const path = folder(`merged ${base} ${dtype}`);
    await model.savePretrained(path, { dtype, maxShardBytes: 6000 });
    const shards = readdirSync(path).filter((file) => file.endsWith('.safetensors'));
    expect(shards.length).toBeGreaterThan(2);
    for (const shard of shards) expect(statSync(`${path}/${shard}`).size).toBeLessThan(6000 + 2000); // and its header
    expect(JSON.parse(readFileSync(`${path}/config.json`, 'utf8'))).toMatchObject({ dtype });
    const loaded = (await fromPretrained(path)) as LlamaForCausalLM;
    expectClose(await logitsOf(loaded, input), await logitsOf(model, input), ROUNDED[dtype]);
  });
});
