import { readdirSync, readFileSync, statSync } from 'node:fs';
import { applyLora } from '@burin/lora';
import { fromPretrained, type LlamaForCausalLM } from '@burin/models';
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
