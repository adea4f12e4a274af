import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { openCheckpoint, writeCheckpoint } from '@burin/checkpoint';
import { GgufError, saveGguf } from '@burin/gguf';
import { BertForMaskedLM, GPT2LMHeadModel, GPTNeoXForCausalLM, LlamaForCausalLM, Phi3ForCausalLM } from '@burin/models';
import { type Conv1D, Linear, Parameter } from '@burin/nn';
import { rand } from '@burin/tensor';
import { describe, expect, it } from 'vitest';
import { readGguf } from './read-gguf.js';
import { neighbours, rng, TINY, temporaryPaths, tinyLlama, valuesOf } from './support.js';

const path = temporaryPaths();

describe('a Llama', () => {
  it('has llama.cpp’s keys and names, and the same weights', async () => {
    const model = tinyLlama();
    const written = await saveGguf(model, path('llama.gguf'), { type: 'F32', name: 'Tiny' });
    const { metadata, tensors } = await readGguf(path('llama.gguf'));
    expect(metadata).toMatchObject({
      ...{ 'general.architecture': 'llama', 'general.type': 'model', 'general.name': 'Tiny', 'general.file_type': 0 },
      ...{ 'llama.block_count': 2, 'llama.context_length': 64, 'llama.embedding_length': 64, 'llama.vocab_size': 37 },
      ...{ 'llama.feed_forward_length': 40, 'llama.attention.head_count': 4, 'llama.attention.head_count_kv': 2 },
      ...{ 'llama.rope.dimension_count': 16, 'llama.rope.freq_base': 10_000 },
      ...{ 'llama.attention.layer_norm_rms_epsilon': Math.fround(1e-6), 'tokenizer.ggml.model': 'no_vocab' },
    });
    const ofFirstLayer = [
      'attn_q',
      'attn_k',
      'attn_v',
      'attn_output',
      'ffn_gate',
      'ffn_up',
      'ffn_down',
      'attn_norm',
      'ffn_norm',
    ];
    const ends = ['token_embd', 'output_norm', 'output'];
    expect([...tensors.keys()].filter((name) => !name.startsWith('blk.1')).sort()).toEqual(
      [...ofFirstLayer.map((name) => `blk.0.${name}.weight`), ...ends.map((name) => `${name}.weight`)].sort(),
    );
    const weight = (layer: string) => valuesOf((model.getModule(`model.layers.1.${layer}`) as Linear).weight);
    expect(tensors.get('blk.1.attn_v.weight')!.values).toEqual(await weight('self_attn.v_proj'));
    expect(tensors.get('blk.1.attn_q.weight')!.values).toEqual(neighbours(await weight('self_attn.q_proj'), 64, 16));
    expect(tensors.get('blk.1.attn_k.weight')!.values).toEqual(neighbours(await weight('self_attn.k_proj'), 64, 16));
    expect(tensors.get('blk.1.ffn_down.weight')!.shape).toEqual([64, 40]);
    expect(tensors.get('blk.1.ffn_down.weight')!.values).toEqual(await weight('mlp.down_proj'));
    expect(written.tensors).toHaveLength(tensors.size);
  });

  it('rotates neighbours as the model rotates halves: queries and keys have the same products', () => {
    const headDim = 6;
    const angles = [0.3, 0.7, 1.1];
    const query = [1, 2, 3, 4, 5, 6];
    const key = [0.5, -1, 2, 0.25, 1, -3];
    const halves = (x: number[]) => rotate(x, (i) => [i, i + headDim / 2]);
    const pairs = (x: number[]) => rotate(neighbours(x, 1, headDim), (i) => [2 * i, 2 * i + 1]);
    const rotate = (x: number[], places: (i: number) => [number, number]) => {
      const y = [...x];
      for (const [i, angle] of angles.entries()) {
        const [a, b] = places(i);
        y[a] = x[a]! * Math.cos(angle) - x[b]! * Math.sin(angle);
        y[b] = x[a]! * Math.sin(angle) + x[b]! * Math.cos(angle);
      }
      return y;
    };
    const dot = (a: number[], b: number[]) => a.reduce((sum, value, i) => sum + value * b[i]!, 0);
    expect(dot(pairs(query), pairs(key))).toBeCloseTo(dot(halves(query), halves(key)), 12);
  });

  it.each([
    ['F16', { 'token_embd.weight': 'F16', 'blk.0.attn_q.weight': 'F16', 'blk.0.ffn_down.weight': 'F16' }],
    ['Q8_0', { 'token_embd.weight': 'Q8_0', 'blk.0.attn_q.weight': 'Q8_0', 'blk.0.ffn_down.weight': 'F16' }],
    ['Q4_0', { 'token_embd.weight': 'Q8_0', 'blk.0.attn_q.weight': 'Q4_0', 'output.weight': 'Q8_0' }],
  ] as const)('in %s keeps vectors as F32, and rows that are no blocks as F16', async (type, expected) => {
    await saveGguf(tinyLlama(), path(`${type}.gguf`), { type });
    const { tensors } = await readGguf(path(`${type}.gguf`));
    for (const [name, stored] of Object.entries(expected)) expect(tensors.get(name)!.type, name).toBe(stored);
    expect(tensors.get('output_norm.weight')!.type).toBe('F32');
  });

  it('is the same file from a folder, in float32 or bfloat16 and in shards', async () => {
    const model = tinyLlama({ attentionBias: true, tieWordEmbeddings: true });
    await model.savePretrained(path('folder'), { maxShardBytes: 20_000 });
    await saveGguf(model, path('memory.gguf'), { type: 'Q8_0' });
    await saveGguf(path('folder'), path('folder.gguf'), { type: 'Q8_0' });
    const [memory, folder] = [await readGguf(path('memory.gguf')), await readGguf(path('folder.gguf'))];
    expect(folder.metadata).toEqual(memory.metadata);
    for (const [name, { bytes }] of memory.tensors)
      expect(folder.tensors.get(name)!.bytes.equals(bytes), name).toBe(true);
    expect(memory.tensors.has('output.weight')).toBe(false); // tied
    expect(memory.tensors.get('blk.0.attn_q.bias')!.shape).toEqual([64]);
    await model.savePretrained(path('half'), { dtype: 'bfloat16' });
    const loaded = await LlamaForCausalLM.fromPretrained(path('half'), { dtype: 'bfloat16' });
    await saveGguf(path('half'), path('half.gguf'));
    await saveGguf(loaded, path('half-memory.gguf'));
    const [a, b] = [await readGguf(path('half.gguf')), await readGguf(path('half-memory.gguf'))];
    for (const [name, { bytes }] of a.tensors) expect(b.tensors.get(name)!.bytes.equals(bytes), name).toBe(true);
  });

  it('finds tied embeddings under either name', async () => {
    const model = tinyLlama({ tieWordEmbeddings: true });
    await model.savePretrained(path('tied'));
    const checkpoint = await openCheckpoint(path('tied'));
    const renamed = await Promise.all(
      [...checkpoint.tensors].map(async ([name, { shape, dtype }]) => ({
        ...{ shape, dtype, data: await checkpoint.read(name) },
        name: name.replace('model.embed_tokens', 'lm_head'),
      })),
    );
    await checkpoint.close();
    await writeCheckpoint(path('tied'), renamed);
    await saveGguf(path('tied'), path('tied.gguf'), { type: 'F32' });
    const { tensors } = await readGguf(path('tied.gguf'));
    expect(tensors.get('token_embd.weight')!.values).toEqual(await valuesOf(model.model.embedTokens.weight));
  });
});

describe('a head of its own', () => {
  const ownHead = (model: LlamaForCausalLM | GPT2LMHeadModel, width: number) => {
    const head = Linear.from(new Parameter(rand([37, width], { rng: rng(9) })));
    model.replaceModule('lm_head', head);
    return valuesOf(head.weight);
  };

  it('is written where the model was tied to its embeddings before', async () => {
    const model = tinyLlama({ tieWordEmbeddings: true });
    const head = await ownHead(model, 64);
    await saveGguf(model, path('own-head.gguf'), { type: 'F32' });
    const { tensors } = await readGguf(path('own-head.gguf'));
    expect(tensors.get('output.weight')!.values).toEqual(head);
    expect(tensors.get('token_embd.weight')!.values).toEqual(await valuesOf(model.model.embedTokens.weight));
  });

  it('of a GPT-2 is not taken for its embeddings', async () => {
    const sizes = { vocabSize: 37, nEmbd: 64, nLayer: 1, nHead: 2, nPositions: 16 };
    const model = GPT2LMHeadModel.create({ ...sizes, tieWordEmbeddings: false }, { rng: rng() });
    await model.savePretrained(path('gpt2-head'));
    await saveGguf(path('gpt2-head'), path('gpt2-head.gguf'), { type: 'F32' });
    const { tensors } = await readGguf(path('gpt2-head.gguf'));
    expect(tensors.get('output.weight')!.values).toEqual(await valuesOf(model.lmHead.weight));
    expect(tensors.get('token_embd.weight')!.values).toEqual(await valuesOf(model.transformer.wte.weight));
  });

  it('is passed over in a folder that says it is tied, as transformers does', async () => {
    const model = tinyLlama({ tieWordEmbeddings: true });
    const { rawConfig } = model;
    await ownHead(model, 64);
    await model.savePretrained(path('passed-over'));
    const config = { ...rawConfig, architectures: ['LlamaForCausalLM'], tie_word_embeddings: true };
    writeFileSync(`${path('passed-over')}/config.json`, JSON.stringify(config));
    await saveGguf(path('passed-over'), path('passed-over.gguf'), { type: 'F32' });
    const { tensors } = await readGguf(path('passed-over.gguf'));
    expect(tensors.get('token_embd.weight')!.values).toEqual(await valuesOf(model.model.embedTokens.weight));
    expect(tensors.has('output.weight')).toBe(false);
  });

  it('is refused of a Gemma, for which llama.cpp has none', async () => {
    const model = tinyLlama({ modelType: 'gemma', headDim: 16 });
    await ownHead(model, 64);
    await expect(saveGguf(model, path('gemma-head.gguf'))).rejects.toThrow(
      'GemmaForCausalLM: lm_head.weight: it has no place in a GGUF file of gemma',
    );
  });
});

describe('rotary scaling', () => {
  it('of Llama 3 is a tensor of what frequencies are divided by', async () => {
    const sizes = { lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 32 };
    const ropeScaling = { type: 'llama3', factor: 8, ...sizes } as const;
    await saveGguf(tinyLlama({ ropeScaling }), path('llama3.gguf'));
    const factors = (await readGguf(path('llama3.gguf'))).tensors.get('rope_freqs.weight')!.values;
    // by hand: wavelengths are 2π · 10000^(i/8); the first is under 32/4 = 8, the second, 19.87, in between:
    // (32/19.8692 − 1) / 3 = 0.203511, so 1 / (0.796489/8 + 0.203511) = 3.29954; the others are over 32
    expect(factors.map((value) => Math.round(value * 1e4) / 1e4)).toEqual([1, 3.2995, 8, 8, 8, 8, 8, 8]);
  });

  it('of the linear kind and YaRN is metadata', async () => {
    await saveGguf(tinyLlama({ ropeScaling: { type: 'linear', factor: 4 } }), path('linear.gguf'));
    expect((await readGguf(path('linear.gguf'))).metadata).toMatchObject({
      ...{ 'llama.rope.scaling.type': 'linear', 'llama.rope.scaling.factor': 4 },
    });
    const yarn = { type: 'yarn', factor: 4, originalMaxPositionEmbeddings: 16 } as const;
    await saveGguf(tinyLlama({ ropeScaling: yarn as never }), path('yarn.gguf'));
    expect((await readGguf(path('yarn.gguf'))).metadata).toMatchObject({
      ...{ 'llama.rope.scaling.type': 'yarn', 'llama.rope.scaling.original_context_length': 16 },
    });
  });
});

describe('other architectures', () => {
  it('Qwen2 and Qwen3 keep the order of rows', async () => {
    const model = tinyLlama({ modelType: 'qwen3', headDim: 32 });
    await saveGguf(model, path('qwen3.gguf'), { type: 'F32' });
    const { metadata, tensors } = await readGguf(path('qwen3.gguf'));
    expect(metadata).toMatchObject({ 'general.architecture': 'qwen3', 'qwen3.attention.key_length': 32 });
    const query = model.getModule('model.layers.0.self_attn.q_proj') as Linear;
    expect(tensors.get('blk.0.attn_q.weight')!.values).toEqual(await valuesOf(query.weight));
    expect(tensors.get('blk.0.attn_k_norm.weight')!.shape).toEqual([32]);
    await saveGguf(tinyLlama({ modelType: 'qwen2' }), path('qwen2.gguf'));
    expect((await readGguf(path('qwen2.gguf'))).tensors.get('blk.1.attn_v.bias')!.shape).toEqual([32]);
  });

  it('Gemma’s norms multiply by weight + 1', async () => {
    const model = tinyLlama({ modelType: 'gemma', headDim: 16 });
    await saveGguf(model, path('gemma.gguf'), { type: 'F32' });
    const { tensors } = await readGguf(path('gemma.gguf'));
    const stored = await valuesOf(model.model.norm.weight);
    expect(tensors.get('output_norm.weight')!.values).toEqual(stored.map((value) => Math.fround(value + 1)));
    expect(tensors.has('output.weight')).toBe(false);
  });

  it('Phi-3 turns a part of each head, and sees as far as its window', async () => {
    const sizes = { ...TINY, partialRotaryFactor: 0.5, slidingWindow: 20, padTokenId: 0 };
    await saveGguf(Phi3ForCausalLM.create(sizes, { rng: rng() }), path('phi3.gguf'));
    const { metadata, tensors } = await readGguf(path('phi3.gguf'));
    expect(metadata).toMatchObject({ 'phi3.rope.dimension_count': 8, 'phi3.context_length': 20 });
    expect(tensors.get('blk.0.attn_qkv.weight')!.shape).toEqual([128, 64]);
    expect(tensors.get('blk.0.ffn_up.weight')!.shape).toEqual([80, 64]);
  });

  it('GPT-NeoX has all queries before all keys', async () => {
    const { numKeyValueHeads: _llama, ...sizes } = TINY;
    const model = GPTNeoXForCausalLM.create({ ...sizes, useParallelResidual: false }, { rng: rng() });
    await saveGguf(model, path('neox.gguf'), { type: 'F32' });
    const { metadata, tensors } = await readGguf(path('neox.gguf'));
    expect(metadata).toMatchObject({ 'gptneox.rope.dimension_count': 4, 'gptneox.use_parallel_residual': false });
    const stored = await valuesOf((model.getModule('gpt_neox.layers.0.attention.query_key_value') as Linear).weight);
    const row = (values: number[], r: number) => values.slice(r * 64, (r + 1) * 64);
    const { values } = tensors.get('blk.0.attn_qkv.weight')!;
    // row 3 of the key of head 2: in the file after 4 heads of queries, in the checkpoint in its head's 48 rows
    expect(row(values, 4 * 16 + 2 * 16 + 3)).toEqual(row(stored, 2 * 48 + 16 + 3));
    expect(row(values, 2 * 4 * 16 + 5)).toEqual(row(stored, 2 * 16 + 5)); // of the value of head 0
    expect(tensors.get('blk.1.attn_qkv.bias')!.shape).toEqual([192]);
  });

  it('GPT-2 stores its matrices the other way round', async () => {
    const model = GPT2LMHeadModel.create(
      { vocabSize: 9, nEmbd: 32, nLayer: 1, nHead: 2, nPositions: 8 },
      { rng: rng() },
    );
    await saveGguf(model, path('gpt2.gguf'), { type: 'F32' });
    const { metadata, tensors } = await readGguf(path('gpt2.gguf'));
    expect(metadata).toMatchObject({ 'gpt2.feed_forward_length': 128, 'gpt2.attention.head_count': 2 });
    const { shape, values } = tensors.get('blk.0.attn_qkv.weight')!;
    const stored = await valuesOf((model.getModule('transformer.h.0.attn.c_attn') as Conv1D).weight);
    expect(shape).toEqual([96, 32]);
    expect(values[5 * 32 + 3]).toBe(stored[3 * 96 + 5]);
    expect(tensors.get('position_embd.weight')!.shape).toEqual([8, 32]);
  });
});

describe('what has no counterpart is refused', () => {
  const refused = async (options: object, message: string) => {
    await expect(saveGguf(tinyLlama(options), path('no.gguf'))).rejects.toThrow(message);
    expect(existsSync(path('no.gguf'))).toBe(false);
  };

  it('by name', async () => {
    await refused(
      { modelType: 'qwen2', useSlidingWindow: true },
      'Qwen2ForCausalLM: use_sliding_window = true has no counterpart in GGUF: expected false',
    );
    await refused(
      { hiddenAct: 'relu' },
      'LlamaForCausalLM: hidden_act = "relu" has no counterpart in GGUF: expected "silu"',
    );
    const { numKeyValueHeads: _llama, ...sizes } = TINY;
    const bert = BertForMaskedLM.create({ ...sizes }, { rng: rng() });
    await expect(saveGguf(bert, path('no.gguf'))).rejects.toThrow(
      new GgufError(
        'BertForMaskedLM: architectures must name a model that can be written as GGUF: expected LlamaForCausalLM, ' +
          'MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, GemmaForCausalLM, GPT2LMHeadModel, ' +
          'GPTNeoXForCausalLM, Phi3ForCausalLM, got "BertForMaskedLM"',
      ),
    );
    await expect(saveGguf(tinyLlama(), path('no.gguf'), { type: 'Q5_K' as never })).rejects.toThrow(
      'saveGguf: type must be one of F32, F16, Q4_0, Q8_0, got Q5_K',
    );
  });

  it('as are adapters that are not merged, and files are left as they were', async () => {
    const model = tinyLlama();
    const linear = model.getModule('model.layers.0.mlp.up_proj');
    model.replaceModule('model.layers.0.mlp.up_proj', Object.assign(tinyLlama(), { base: linear }));
    writeFileSync(path('old.gguf'), 'old');
    await expect(saveGguf(model, path('old.gguf'))).rejects.toThrow(
      'it has no place in a GGUF file of llama; merge adapters and dequantize 4-bit layers first',
    );
    expect(readdirSync(path('.')).filter((name) => name.includes('burin-new'))).toEqual([]);
  });
});
