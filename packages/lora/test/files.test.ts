import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bytesSource, readSafetensors, writeSafetensors } from '@burin/checkpoint';
import { Conv1D, Parameter } from '@burin/nn';
import { Generator, tensor } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { adapterFiles, applyLora, type LoraOptions, loadAdapter, saveAdapter } from '../src/index.js';
import { input, OneLinear, train } from './layers.js';
import { TinyClassifier, TinyModel } from './tiny-model.js';

const rng = new Generator(0);
const PEFT = fileURLToPath(new URL('../../../fixtures/peft/', import.meta.url));

let folder: string;
let count = 0;
const place = () => join(folder, `adapter-${count++}`);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'burin-lora-'));
});
afterAll(() => rm(folder, { recursive: true }));

function adapted(options: Partial<LoraOptions> = {}) {
  const lora = applyLora(new TinyModel(), { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj'], rng, ...options });
  train(lora);
  return lora;
}

const json = async (path: string) => JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
const tensors = async (path: string) =>
  readSafetensors(await readFile(join(path, 'adapter_model.safetensors'))).tensors;

/** A copy of a saved adapter with some fields of its configuration, or its tensors, changed. */
async function altered(
  from: string,
  fields: Record<string, unknown>,
  change = (list: ReturnType<typeof listOf>) => list,
) {
  const files = new Map([
    ['adapter_config.json', JSON.stringify({ ...(await json(join(from, 'adapter_config.json'))), ...fields })],
  ]);
  const weights = writeSafetensors(change(listOf(await tensors(from))));
  return new Map([
    ...[...files].map(([name, text]) => [name, bytesSource(new TextEncoder().encode(text), name)] as const),
    ['adapter_model.safetensors', bytesSource(weights, 'adapter_model.safetensors')] as const,
  ]);
}

const listOf = (map: Awaited<ReturnType<typeof tensors>>) =>
  [...map.values()].map(({ name, dtype, shape, data }) => ({ name, dtype, shape, data }));

describe.each(['lora_llama', 'qlora_llama'])("PEFT's own adapter %s", (name) => {
  it('loads, and is saved again with the same keys, bytes and fields', async () => {
    const lora = await loadAdapter(new TinyModel(), join(PEFT, name));
    const layer = [...lora.layers()][1]![1];
    expect([...lora.layers()].map(([path]) => path.split('.').at(-1))).toEqual([
      'q_proj',
      'v_proj',
      'q_proj',
      'v_proj',
    ]);
    expect(layer.scaling.get('default')).toBe(2);
    const again = place();
    await saveAdapter(lora, again);
    expect(await tensors(again)).toEqual(await tensors(join(PEFT, name)));
    const { peft_version: _, ...fields } = await json(join(PEFT, name, 'adapter_config.json'));
    expect(await json(join(again, 'adapter_config.json'))).toEqual(fields);
  });
});

describe('saveAdapter and loadAdapter', () => {
  it('give back the same numbers, to the bit', async () => {
    const lora = adapted({ dropout: 0.1, bias: 'all', useRslora: true, rankPattern: { v_proj: 2 } });
    lora.model.eval();
    const saved = place();
    await saveAdapter(lora, saved, { baseModelNameOrPath: 'base' });
    const fresh = new TinyModel();
    fresh.eval();
    const loaded = await loadAdapter(fresh, saved);
    expect(loaded.configs).toEqual(lora.configs);
    expectClose(await fresh.forward(input([3, 48])).data(), await lora.model.forward(input([3, 48])).data(), EXACT);
    expect((await json(join(saved, 'adapter_config.json'))).base_model_name_or_path).toBe('base');
  });

  it('have the same files in memory, where there are no folders', async () => {
    const lora = adapted({ bias: 'all' });
    const options = { baseModelNameOrPath: 'base' };
    const saved = place();
    await saveAdapter(lora, saved, options);
    const files = await adapterFiles(lora, options);
    expect([...files.keys()].sort()).toEqual((await readdir(saved)).sort());
    for (const [name, bytes] of files)
      expect(Buffer.from(bytes).equals(await readFile(join(saved, name))), name).toBe(true);
    const sources = new Map([...files].map(([name, bytes]) => [name, bytesSource(bytes, name)]));
    const { model } = await loadAdapter(new TinyModel(), sources);
    expectClose(await model.forward(input([3, 48])).data(), await lora.model.forward(input([3, 48])).data(), EXACT);
  });

  it('carry the copies of modulesToSave and trained biases under the names of PEFT', async () => {
    const lora = applyLora(new TinyClassifier(), {
      rank: 2,
      taskType: 'SEQ_CLS',
      bias: 'lora_only',
      targetModules: 'q_proj',
      rng,
    });
    train(lora);
    for (const [name, parameter] of lora.adapterParameters('default'))
      if (/score|bias/.test(name)) parameter.fill_(0.25);
    const saved = place();
    lora.disable(); // the base's own biases are in the model while it is saved
    await saveAdapter(lora, saved);
    lora.enable();
    expect([...(await tensors(saved)).keys()].sort()).toEqual([
      'base_model.model.model.layers.0.self_attn.q_proj.base_layer.bias',
      'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight',
      'base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight',
      'base_model.model.score.weight',
    ]);
    const { model } = await loadAdapter(new TinyClassifier(), saved);
    expectClose(await model.forward(input([3, 8])).data(), await lora.model.forward(input([3, 8])).data(), EXACT);
  });

  it("write the names that 'all-linear' and patterns chose: their ends, where those are clear", async () => {
    const targets = async (options: Partial<LoraOptions>) => {
      const saved = place();
      const lora = adapted(options);
      await saveAdapter(lora, saved);
      const { model } = await loadAdapter(new TinyModel(), saved);
      const x = input([2, 48]);
      expectClose(await model.forward(x).data(), await lora.model.forward(x).data(), EXACT);
      return (await json(join(saved, 'adapter_config.json'))).target_modules;
    };
    expect(await targets({ targetModules: 'all-linear' })).toEqual(['q_proj', 'k_proj', 'v_proj', 'o_proj']);
    expect(await targets({ targetModules: /1.*[qv]_proj/ })).toEqual([
      'model.layers.1.self_attn.q_proj',
      'model.layers.1.self_attn.v_proj',
    ]);
  });

  it('load beside another adapter, frozen and not active', async () => {
    const saved = place();
    await saveAdapter(adapted(), saved);
    const lora = adapted();
    expect(await loadAdapter(lora, saved, { adapterName: 'second' })).toBe(lora);
    expect(lora.active).toEqual(['default']);
    expect([...lora.adapterParameters('second').values()].some(({ requiresGrad }) => requiresGrad)).toBe(false);
    expect([...lora.adapterParameters('default').values()].every(({ requiresGrad }) => requiresGrad)).toBe(true);
    await expect(saveAdapter(lora, place())).rejects.toThrow(
      'say which adapter with adapterName: there is default, second',
    );
    await saveAdapter(lora, place(), { adapterName: 'second' });
    await expect(saveAdapter(lora, place(), { adapterName: 'third', force: true })).rejects.toThrow(
      new RangeError("saveAdapter: there is no adapter 'third': there is default, second"),
    );
  });

  it('load to be trained, with what draws the dropout', async () => {
    const saved = place();
    await saveAdapter(adapted({ dropout: 0.1 }), saved);
    await expect(loadAdapter(new TinyModel(), saved, { trainable: true })).rejects.toThrow(
      'loadAdapter: an adapter with dropout needs random numbers to be trained; pass rng',
    );
    const frozen = await loadAdapter(new TinyModel(), saved);
    expect(() => frozen.setTrainable('default')).toThrow(
      "'default' has dropout, and no random numbers to draw it; pass rng",
    );
    const lora = await loadAdapter(new TinyModel(), saved, { trainable: true, rng });
    expect([...lora.adapterParameters('default').values()].every(({ requiresGrad }) => requiresGrad)).toBe(true);
  });

  it('read a string of target_modules as PEFT does: a regular expression for the whole name', async () => {
    const saved = place();
    await saveAdapter(adapted(), saved);
    const lora = await loadAdapter(new TinyModel(), await altered(saved, { target_modules: '.*(q|v)_proj' }));
    expect([...lora.layers()]).toHaveLength(4);
    await expect(loadAdapter(new TinyModel(), await altered(saved, { target_modules: 'q_proj' }))).rejects.toThrow(
      'matches no Linear',
    );
  });

  it('read a string of exclude_modules so, too', async () => {
    const saved = place();
    await saveAdapter(adapted(), saved);
    const whole = await loadAdapter(new TinyModel(), await altered(saved, { exclude_modules: 'q_proj' }));
    expect([...whole.layers()]).toHaveLength(4);
    await expect(loadAdapter(new TinyModel(), await altered(saved, { exclude_modules: '.*q_proj' }))).rejects.toThrow(
      'extra base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight',
    );
    await expect(loadAdapter(new TinyModel(), await altered(saved, { exclude_modules: '(q' }))).rejects.toThrow(
      "exclude_modules must be a regular expression, got '(q'",
    );
  });

  it('carry fan_in_fan_out, which PEFT sets where layers are Conv1D', async () => {
    const model = () => new OneLinear(new Conv1D(new Parameter(tensor(new Float32Array(15), [3, 5]))));
    const lora = applyLora(model(), { rank: 2, targetModules: 'layer', rng });
    train(lora);
    const saved = place();
    await saveAdapter(lora, saved);
    expect((await json(join(saved, 'adapter_config.json'))).fan_in_fan_out).toBe(true);
    const x = input([2, 3]);
    const loaded = await loadAdapter(model(), saved);
    expectClose(await loaded.model.forward(x).data(), await lora.model.forward(x).data(), EXACT);
  });
});

describe('promise 9: a save checks itself, a load is strict', () => {
  it('lists what was written with sizes', async () => {
    const saved = place();
    const report = await saveAdapter(adapted(), saved);
    expect((await readdir(saved)).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
    for (const { name, byteLength } of report.files)
      expect((await readFile(join(saved, name))).length).toBe(byteLength);
    expect(report.tensors[0]).toEqual({
      name: 'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight',
      shape: [4, 48],
      byteLength: 768,
    });
    expect(report.text).toContain('adapter_model.safetensors: 6400 bytes\n');
    expect(report.text).toContain('q_proj.lora_A.weight [4,48]: 768 bytes');
  });

  it('refuses an adapter with a B of zeros, unless forced', async () => {
    const lora = adapted();
    lora.adapterParameters('default').get('model.layers.1.self_attn.v_proj.lora_B.default.weight')!.fill_(0);
    const saved = place();
    await expect(saveAdapter(lora, saved)).rejects.toThrow(
      "saveAdapter: every lora_B of 'default' must have been trained: 1 of 4 are all zeros " +
        '(model.layers.1.self_attn.v_proj), so they change nothing; train it first, or pass { force: true }',
    );
    await expect(adapterFiles(lora)).rejects.toThrow("adapterFiles: every lora_B of 'default' must have been trained");
    await saveAdapter(lora, saved, { force: true });
  });

  it('refuses one that was unloaded, and does not ask to train it', async () => {
    const lora = adapted();
    lora.unload();
    await expect(saveAdapter(lora, place())).rejects.toThrow('the adapters were unloaded from this model');
  });

  it("refuses PEFT's names of arguments, which it would pass over", async () => {
    await expect(loadAdapter(adapted(), place(), { is_trainable: true } as object)).rejects.toThrow(
      new RangeError('loadAdapter: there is no option is_trainable; expected adapterName, trainable, active, rng'),
    );
  });

  it('refuses a folder that is there already, unless told to replace it', async () => {
    const saved = place();
    await saveAdapter(adapted(), saved);
    await expect(saveAdapter(adapted(), saved)).rejects.toThrow('pass { replace: true }');
    await saveAdapter(adapted(), saved, { replace: true });
  });

  it('names missing and extra keys, and leaves the model alone', async () => {
    const saved = place();
    await saveAdapter(adapted(), saved);
    const renamed = await altered(saved, {}, ([first, ...rest]) => [
      { ...first!, name: 'base_model.model.other' },
      ...rest,
    ]);
    const model = new TinyModel();
    await expect(loadAdapter(model, renamed)).rejects.toThrow(
      'adapter_model.safetensors: keys must be those of the model: missing ' +
        'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight; extra base_model.model.other',
    );
    expect(model.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
    expect([...model.namedModules()]).toEqual(
      [...new TinyModel().namedModules()].map(([name]) => [name, model.getModule(name)]),
    );
  });

  it('names the key and both shapes of a tensor that does not fit', async () => {
    const saved = place();
    await saveAdapter(adapted(), saved);
    await expect(loadAdapter(new TinyModel({ width: 24 }), saved)).rejects.toThrow(
      'base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight: expected [4,24], got [4,48]',
    );
    await expect(loadAdapter(new TinyModel(), await altered(saved, { r: 2 }))).rejects.toThrow(
      'expected [2,48], got [4,48]',
    );
  });

  it.each([
    ['use_dora', true],
    ['lora_bias', true],
    ['layer_replication', [[0, 2]]],
    ['init_lora_weights', 'pissa'],
    ['trainable_token_indices', [1]],
    ['use_something_new', true],
  ])('refuses %s: %j', async (field, value) => {
    await expect(
      loadAdapter(new TinyModel(), await altered(join(PEFT, 'lora_llama'), { [field]: value })),
    ).rejects.toThrow(
      `adapter_config.json: ${field} must be off: it changes what the adapter computes and is not supported here, got ` +
        JSON.stringify(value),
    );
  });

  it.each([
    [{ peft_type: 'LOHA' }, 'peft_type must be LORA, got "LOHA"'],
    [{ r: '4' }, 'r must be a number, got "4"'],
    [{ r: 0 }, 'adapter_config.json: rank must be a whole number of 1 or more, got 0'],
    [{ target_modules: null }, 'target_modules must name a module at least, got null'],
    [{ target_modules: [3] }, 'target_modules must be text or a list of it, got [3]'],
    [{ target_modules: '(q_proj' }, "target_modules must be a regular expression, got '(q_proj'"],
    [{ rank_pattern: { q_proj: 'x' } }, 'rank_pattern must be numbers by pattern'],
  ])('refuses %j', async (fields, message) => {
    await expect(loadAdapter(new TinyModel(), await altered(join(PEFT, 'lora_llama'), fields))).rejects.toThrow(
      message,
    );
  });

  it('says which file is missing, or is no JSON', async () => {
    await expect(loadAdapter(new TinyModel(), join(folder, 'nowhere'))).rejects.toThrow('adapter_config.json');
    await expect(loadAdapter(new TinyModel(), new Map())).rejects.toThrow(
      'adapter_config.json must be among the files, got none',
    );
    const broken = await mkdtemp(join(folder, 'broken-'));
    await writeFile(join(broken, 'adapter_config.json'), '{');
    await expect(loadAdapter(new TinyModel(), broken)).rejects.toThrow('adapter_config.json: it must be JSON');
    await writeFile(join(broken, 'adapter_config.json'), '[]');
    await expect(loadAdapter(new TinyModel(), broken)).rejects.toThrow('an object is expected, got an array');
  });
});
