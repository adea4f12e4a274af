import { mkdirSync, writeFileSync } from 'node:fs';
import { fromFloat32, writeSafetensorsFile } from '@burin/checkpoint';
import { GgufError, saveAdapterGguf } from '@burin/gguf';
import { describe, expect, it } from 'vitest';
import { readGguf } from './read-gguf.js';
import { neighbours, temporaryPaths, tinyLlama } from './support.js';

const path = temporaryPaths();
const LAYER = 'base_model.model.model.layers.0';
const CONFIG = { peft_type: 'LORA', r: 2, lora_alpha: 8, bias: 'none', target_modules: ['q_proj', 'up_proj'] };

const ramp = (length: number) => Array.from({ length }, (_, i) => Math.fround(Math.sin(i)));

/** An adapter of rank 2 in PEFT's format. */
async function adapter(name: string, config: object = {}, tensors: Record<string, [number, number]> = {}) {
  const folder = path(name);
  mkdirSync(folder);
  writeFileSync(`${folder}/adapter_config.json`, JSON.stringify({ ...CONFIG, ...config }));
  const shapes = Object.entries({
    [`${LAYER}.self_attn.q_proj.lora_A.weight`]: [2, 64],
    [`${LAYER}.self_attn.q_proj.lora_B.weight`]: [64, 2],
    [`${LAYER}.mlp.up_proj.lora_A.weight`]: [2, 64],
    [`${LAYER}.mlp.up_proj.lora_B.weight`]: [40, 2],
    ...tensors,
  });
  await writeSafetensorsFile(
    `${folder}/adapter_model.safetensors`,
    shapes.map(([key, shape]) => {
      const values = ramp(shape[0]! * shape[1]!);
      return { name: key, dtype: 'F32' as const, shape, data: fromFloat32(Float32Array.from(values), 'F32') };
    }),
  );
  return folder;
}

const base = tinyLlama();

describe('a LoRA adapter', () => {
  it('has llama.cpp’s keys, A and B, and the queries’ rows in its order', async () => {
    const written = await saveAdapterGguf(await adapter('plain'), path('plain.gguf'), { base, name: 'Poet' });
    const { metadata, tensors } = await readGguf(path('plain.gguf'));
    expect(metadata).toMatchObject({
      ...{ 'general.architecture': 'llama', 'general.type': 'adapter', 'general.name': 'Poet' },
      ...{ 'adapter.type': 'lora', 'adapter.lora.alpha': 8 },
    });
    expect([...tensors.keys()].sort()).toEqual([
      ...['blk.0.attn_q.weight.lora_a', 'blk.0.attn_q.weight.lora_b'],
      ...['blk.0.ffn_up.weight.lora_a', 'blk.0.ffn_up.weight.lora_b'],
    ]);
    expect(tensors.get('blk.0.attn_q.weight.lora_a')!.values).toEqual(ramp(128));
    expect(tensors.get('blk.0.attn_q.weight.lora_b')!.values).toEqual(neighbours(ramp(128), 2, 16));
    expect(tensors.get('blk.0.ffn_up.weight.lora_b')!.values).toEqual(ramp(80));
    expect(tensors.get('blk.0.ffn_up.weight.lora_b')!.shape).toEqual([40, 2]);
    expect(written.tensors).toHaveLength(4);
  });

  it('may be for a folder, and in F16', async () => {
    await base.savePretrained(path('base'));
    await saveAdapterGguf(await adapter('f16'), path('f16.gguf'), { base: path('base'), type: 'Q8_0' });
    const { tensors } = await readGguf(path('f16.gguf'));
    expect(tensors.get('blk.0.ffn_up.weight.lora_a')!.type).toBe('Q8_0');
    expect(tensors.get('blk.0.ffn_up.weight.lora_b')!.type).toBe('F16'); // rows of 2 are no blocks
  });

  // llama.cpp multiplies by alpha / rank = 4; PEFT by 8 / √2 with rsLoRA, and by 2 / 2 where a pattern says 2
  it.each([
    ['rsLoRA', { use_rslora: true }, 8 / Math.SQRT2 / 4],
    ['a pattern', { alpha_pattern: { 'mlp.up_proj': 2 } }, 1 / 4],
    ['a pattern for another layer', { alpha_pattern: { p_proj: 2 } }, 1],
  ])('with scales of %s has them in B', async (name, config, factor) => {
    await saveAdapterGguf(await adapter(name, config), path(`${name}.gguf`), { base });
    const { tensors } = await readGguf(path(`${name}.gguf`));
    expect(tensors.get('blk.0.ffn_up.weight.lora_b')!.values).toEqual(ramp(80).map((x) => Math.fround(x * factor)));
    const query = tensors.get('blk.0.attn_q.weight.lora_b')!.values;
    const own = name === 'rsLoRA' ? factor : 1;
    expect(query).toEqual(neighbours(ramp(128), 2, 16).map((x) => Math.fround(x * own)));
  });

  it('that is more than that is refused', async () => {
    const refused = async (
      name: string,
      config: object,
      tensors: Record<string, [number, number]>,
      message: string,
    ) => {
      const folder = await adapter(name, config, tensors);
      await expect(saveAdapterGguf(folder, path('no.gguf'), { base })).rejects.toThrow(new GgufError(message));
    };
    const where = `${path('dora')}/adapter_config.json`;
    await refused(
      'dora',
      { use_dora: true },
      {},
      `${where}: use_dora = true has no counterpart in GGUF: expected false`,
    );
    await refused(
      'saved',
      { modules_to_save: ['score'] },
      {},
      `${path('saved')}/adapter_config.json: modules_to_save = ["score"] has no counterpart in GGUF: expected none`,
    );
    const half = `${LAYER}.mlp.down_proj.lora_A.weight`;
    await refused(
      'half',
      {},
      { [half]: [2, 40] },
      `${path('half')}/adapter_model.safetensors: ${half}: expected lora_A and lora_B of Linear layers, got another or half a pair`,
    );
    const unknown = 'base_model.model.score.lora_';
    await refused(
      'unknown',
      {},
      { [`${unknown}A.weight`]: [2, 64], [`${unknown}B.weight`]: [3, 2] },
      `${path('unknown')}/adapter_model.safetensors: score: llama.cpp has no such layer to adapt in llama`,
    );
  });
});
