import { spawnSync } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { openCheckpoint, writeCheckpoint } from '@burin/checkpoint';
import { type LayerConversion, LlamaForCausalLM } from '@burin/models';
import { Linear4bit, quantizeModel, to4bit } from '@burin/quant-nf4';
import { cpu, MemoryError } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { beforeAll, describe, expect, it } from 'vitest';
import { ids, logitsOf, rng, temporaryFolders, tinyLlama } from './support.js';

const folder = temporaryFolders();
const LOADER = fileURLToPath(new URL('./load-and-measure.ts', import.meta.url));

const input = ids([1, 2, 3, 4, 5]);

async function saved(name: string, options = {}): Promise<string> {
  const model = tinyLlama(options);
  await model.savePretrained(folder(name), { replace: true });
  model.dispose();
  return folder(name);
}

describe('a model that is quantized while it loads', () => {
  it.each([
    ['in one file', {}],
    ['in shards', { maxShardBytes: 9000 }],
  ])('is the one that is quantized afterwards, to the bit, %s', async (name, options) => {
    const model = tinyLlama({ attentionBias: true });
    await model.savePretrained(folder(name), options);
    const format = { doubleQuant: true, blockSize: 32 };
    const streamed = await LlamaForCausalLM.fromPretrained(folder(name), { convert: to4bit(format) });
    await quantizeModel(model.eval(), format);
    expect(streamed.model.layers[0]!.selfAttn.qProj).toBeInstanceOf(Linear4bit);
    expect(streamed.lmHead).not.toBeInstanceOf(Linear4bit);
    expectClose(await logitsOf(streamed, input), await logitsOf(model, input), EXACT);
  });

  it('takes the layers that are named, and the float ones in the storage asked for', async () => {
    const path = await saved('some');
    const convert = to4bit({ targetModules: ['down_proj'] });
    const model = await LlamaForCausalLM.fromPretrained(path, { convert, dtype: 'bfloat16' });
    const quantized = [...model.namedModules()].filter(([, module]) => module instanceof Linear4bit);
    expect(quantized.map(([name]) => name)).toEqual(['model.layers.0.mlp.down_proj', 'model.layers.1.mlp.down_proj']);
    expect(model.lmHead.weight.dtype).toBe('bfloat16');
    await expect(LlamaForCausalLM.fromPretrained(path, { convert: to4bit({ targetModules: 'q' }) })).rejects.toThrow(
      "targetModules 'q' matches nothing of this model",
    );
  });

  it('is refused by the name of the tensor that the device has no room for', async () => {
    const path = await saved('cramped');
    const { memory } = cpu();
    const [budget, live] = [memory.budget, memory.liveBytes];
    memory.budget = live + 2000;
    const loading = LlamaForCausalLM.fromPretrained(path);
    await expect(loading).rejects.toThrow(MemoryError);
    await expect(loading).rejects.toThrow(/model\.safetensors: lm_head\.weight: .*budget/);
    memory.budget = budget;
    expect(memory.liveBytes).toBe(live);
  });

  it('is refused where a weight is not finite, and frees what it took', async () => {
    const path = await saved('infinite');
    await editWeights(path, 'model.layers.1.mlp.up_proj.weight', (values) => values.fill(Number.NaN, 3, 5));
    const before = cpu().memory.liveBuffers;
    await expect(LlamaForCausalLM.fromPretrained(path, { convert: to4bit() })).rejects.toThrow(
      `${path}/model.safetensors: model.layers.1.mlp.up_proj.weight: quantize4bit: every value must be finite, got 2 of 480`,
    );
    expect(cpu().memory.liveBuffers).toBe(before);
  });

  it('is refused where the weight is another module’s too, or the layer is no Linear', async () => {
    const path = await saved('tied', { tieWordEmbeddings: true });
    await expect(
      LlamaForCausalLM.fromPretrained(path, { convert: to4bit({ targetModules: 'lm_head', skipModules: [] }) }),
    ).rejects.toThrow(
      'fromPretrained: lm_head: a weight that modules share is not converted while it loads: it is that of ' +
        'model.embed_tokens.weight and lm_head.weight; convert it once the model is loaded',
    );
    const convert: LayerConversion = { choose: () => ['model.norm'], convert: async (layer) => layer };
    await expect(LlamaForCausalLM.fromPretrained(path, { convert })).rejects.toThrow(
      'fromPretrained: model.norm: only a Linear is converted, got RmsNorm',
    );
  });
});

async function editWeights(path: string, which: string, edit: (values: Float32Array) => void): Promise<void> {
  const checkpoint = await openCheckpoint(path);
  const tensors = [];
  for (const [name, { shape, dtype }] of checkpoint.tensors) {
    const data = new Uint8Array(await checkpoint.read(name));
    if (name === which) edit(new Float32Array(data.buffer));
    tensors.push({ name, shape, dtype, data });
  }
  await checkpoint.close();
  await writeCheckpoint(path, tensors);
}

/** What load-and-measure.ts prints. */
interface Measured {
  readonly liveBytes: number;
  readonly peakBytes: number;
  readonly resident: number;
  readonly arrayBuffers: number;
  readonly milliseconds: number;
}

describe('a model of 124 MB', () => {
  const LARGE = {
    ...{ vocabSize: 8500, hiddenSize: 512, intermediateSize: 1408, numHiddenLayers: 7, numAttentionHeads: 8 },
    tieWordEmbeddings: true, // 17.4 MB of embeddings: more than is read at a time
  };
  const LARGEST = 4 * 512 * 1408; // bytes of the largest layer that becomes 4 bits
  const CHUNK = 2 ** 22; // what is read at a time of the others
  const MB = 1e6;
  let path = '';
  let fileBytes = 0;

  beforeAll(async () => {
    const model = LlamaForCausalLM.create(LARGE, { rng: rng(3) });
    path = folder('large');
    await model.savePretrained(path);
    model.dispose();
    fileBytes = statSync(`${path}/model.safetensors`).size;
  });

  const measure = (storage: string): Measured => {
    const flags = ['--import', 'tsx', '--conditions=@burin/source', LOADER, path, storage];
    // what other threads take is not what loading takes, and what Node warns of is not its word
    const env = { ...process.env, BURIN_THREADS: '1', NODE_NO_WARNINGS: '1' };
    const { stdout, stderr } = spawnSync(process.execPath, flags, { encoding: 'utf8', env });
    expect(stderr).toBe('');
    return JSON.parse(stdout) as Measured;
  };

  it('takes little more than its 4-bit size to load in 4 bits', () => {
    const { liveBytes, peakBytes, resident, arrayBuffers } = measure('nf4');
    expect(fileBytes).toBeGreaterThan(107 * MB);
    const embeddings = 4 * 8500 * 512;
    expect(liveBytes).toBeLessThan(embeddings + 0.52 * ((fileBytes - embeddings) / 4) + 0.2 * MB);
    expect(peakBytes).toBeLessThan(liveBytes + LARGEST + 0.5 * MB);
    expect(arrayBuffers).toBeLessThan(16 * CHUNK); // pieces that wait for the garbage collector
    expect(resident, 'resident memory, in bytes').toBeLessThan(0.9 * fileBytes); // about 0.6 on a quiet machine
  });

  it('is never in memory twice, also where the storage changes', () => {
    const { liveBytes, peakBytes } = measure('float16');
    expect(liveBytes).toBeLessThan(fileBytes / 2 + 0.2 * MB);
    expect(peakBytes).toBeLessThan(liveBytes + 1.5 * CHUNK); // one piece as it was and as it becomes
  });

  it('is the same number for number, though pieces of it were read apart', async () => {
    const half = await LlamaForCausalLM.fromPretrained(path, { dtype: 'float16' });
    const whole = await LlamaForCausalLM.fromPretrained(path);
    const expected = await whole.model.embedTokens.weight.detach().to('float16').bytes();
    expect(Buffer.compare(await half.model.embedTokens.weight.bytes(), expected)).toBe(0);
    half.dispose();
    whole.dispose();
  });
});
