import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { bytesSource, CheckpointError, openCheckpoint, writeCheckpoint } from '@burin/checkpoint';
import {
  BertForMaskedLM,
  BertForSequenceClassification,
  ByteTokenizer,
  ConfigError,
  fromPretrained,
  GPT2LMHeadModel,
  LlamaForCausalLM,
  LlamaForSequenceClassification,
  type PretrainedModel,
  savePretrained,
  Tokenizer,
} from '@burin/models';
import { quantizeModel } from '@burin/quant-nf4';
import { cpu, noGrad, ShapeError } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { ids, rng, TINY, temporaryFolders, tinyBert, tinyLlama } from './support.js';

const folder = temporaryFolders();
const { numKeyValueHeads: _llama, ...sizes } = TINY;

const readJson = (path: string) => JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;

/** A folder to spoil, with a tied model in it. */
async function saved(name: string, model: PretrainedModel = tinyLlama({ tieWordEmbeddings: true })): Promise<string> {
  await savePretrained(model, folder(name), { replace: true });
  return folder(name);
}

/** Changes keys of config.json. */
function editConfig(path: string, change: object): void {
  writeFileSync(`${path}/config.json`, JSON.stringify({ ...readJson(`${path}/config.json`), ...change }));
}

/** Writes the weights again, under other names or in other shapes. */
async function editWeights(path: string, edit: (name: string, shape: readonly number[]) => [string, number[]][]) {
  const checkpoint = await openCheckpoint(path);
  const tensors = [];
  for (const [name, { shape, dtype }] of checkpoint.tensors) {
    const data = await checkpoint.read(name);
    for (const [to, toShape] of edit(name, shape)) {
      tensors.push({ name: to, shape: toShape, dtype, data: data.slice(0, 4 * toShape.reduce((a, b) => a * b, 1)) });
    }
  }
  await checkpoint.close();
  rmSync(`${path}/model.safetensors`);
  await writeCheckpoint(path, tensors);
}

describe('a checkpoint of another time', () => {
  it('may be of the body alone, with buffers that follow from the config', async () => {
    const model = GPT2LMHeadModel.create(
      { vocabSize: 9, nEmbd: 8, nLayer: 1, nHead: 2, nPositions: 4 },
      { rng: rng() },
    );
    const path = await saved('body', model);
    await editWeights(path, (name, shape) => {
      const bare = name.replace('transformer.', '');
      const mask: [string, number[]][] = bare === 'wte.weight' ? [['h.0.attn.bias', [1, 1, 4, 4]]] : [];
      return [[bare, [...shape]], ...mask];
    });
    const loaded = await GPT2LMHeadModel.fromPretrained(path);
    expect(await loaded.transformer.wpe.weight.data()).toEqual(await model.transformer.wpe.weight.data());
    expect(await loaded.lmHead.weight.data()).toEqual(await model.transformer.wte.weight.data());
  });
});

describe('files by name, as in a browser', () => {
  /** What a page has: the bytes of each file of a folder. */
  const pickedFrom = (path: string) =>
    new Map(readdirSync(path).map((file) => [file, bytesSource(readFileSync(`${path}/${file}`), file)]));

  it('are loaded as their folder is', async () => {
    const path = await saved('picked');
    writeFileSync(`${path}/generation_config.json`, '{"eos_token_id": 7}');
    for (const load of [fromPretrained, LlamaForCausalLM.fromPretrained]) {
      const loaded = await load(pickedFrom(path));
      expect(loaded.rawConfig).toEqual((await load(path)).rawConfig);
      expect(loaded.generationConfig).toEqual({ eos_token_id: 7 });
    }
    const model = await LlamaForCausalLM.fromPretrained(pickedFrom(path));
    const expected = await LlamaForCausalLM.fromPretrained(path);
    expect(await model.lmHead.weight.data()).toEqual(await expected.lmHead.weight.data());
  });

  it('are missed by name', async () => {
    const files = pickedFrom(await saved('picked in part'));
    files.delete('config.json');
    await expect(fromPretrained(files)).rejects.toThrow(
      'config.json must be among the files of the folder, got model.safetensors',
    );
  });
});

it('refuses an option that there is none of', async () => {
  await expect(fromPretrained(await saved('options'), { load_in_4bit: true } as object)).rejects.toThrow(
    'fromPretrained: there is no option load_in_4bit; expected revision, dtype, rng, convert, allowMissing, allowUnexpected',
  );
});

describe('a folder that was saved', () => {
  const models: [string, () => PretrainedModel][] = [
    ['a tied Llama', () => tinyLlama({ tieWordEmbeddings: true })],
    ['an untied Llama with biases', () => tinyLlama({ attentionBias: true, mlpBias: true })],
    ['a Mistral', () => tinyLlama({ modelType: 'mistral', slidingWindow: 3 })],
    ['a Qwen2', () => tinyLlama({ modelType: 'qwen2' })],
    ['a classifier', () => LlamaForSequenceClassification.fromCausal(tinyLlama(), { numLabels: 3, rng: rng(2) })],
    ['a BERT classifier', () => tinyBert()],
    ['a tied masked language model', () => BertForMaskedLM.create(sizes, { rng: rng(3) })],
    ['an untied one', () => BertForMaskedLM.create({ ...sizes, tieWordEmbeddings: false }, { rng: rng(3) })],
  ];

  it.each(models)('gives back %s bit for bit', async (name, make) => {
    const model = make();
    const path = await saved(`round trip of ${name}`, model);
    const loaded = await fromPretrained(path);
    expect(loaded.constructor).toBe(model.constructor);
    expect(loaded.architecture).toBe(model.architecture);
    const expected = new Map(model.namedParameters({ duplicates: true }));
    const actual = new Map(loaded.namedParameters({ duplicates: true }));
    expect([...actual.keys()]).toEqual([...expected.keys()]);
    for (const [key, parameter] of actual) {
      expect(await parameter.bytes(), key).toEqual(await expected.get(key)!.bytes());
    }
    const inputIds = ids([1, 5, 9], [3, 2, 7]);
    const [a, b] = [model.eval(), loaded].map(
      (m) => noGrad(() => (m as LlamaForCausalLM).forward({ inputIds })).logits,
    );
    expectClose(await b!.data(), await a!.data(), EXACT);
    const again = folder(`again ${name}`);
    await loaded.savePretrained(again);
    expect(readJson(`${again}/config.json`)).toEqual(readJson(`${path}/config.json`));
    expect(readFileSync(`${again}/model.safetensors`)).toEqual(readFileSync(`${path}/model.safetensors`));
  });

  it.each(['float16', 'bfloat16'] as const)('rounds to %s when told so, once', async (dtype) => {
    const model = tinyLlama();
    await model.savePretrained(folder(dtype), { dtype });
    expect(readJson(`${folder(dtype)}/config.json`).dtype).toBe(dtype);
    for (const options of [{}, { dtype }]) {
      const loaded = await LlamaForCausalLM.fromPretrained(folder(dtype), options);
      const expected = await model.model.layers[1]!.mlp.upProj.floatWeight().to(dtype).data();
      expectClose(await loaded.model.layers[1]!.mlp.upProj.floatWeight().data(), expected, EXACT);
    }
    const half = await LlamaForCausalLM.fromPretrained(folder(dtype), { dtype });
    await half.savePretrained(folder(`${dtype} again`));
    const [first, second] = [folder(dtype), folder(`${dtype} again`)].map((path) => openCheckpoint(path));
    for (const [name, { dtype: stored }] of (await first!).tensors) {
      if (stored === (await second!).tensors.get(name)!.dtype) {
        expect(await (await second!).read(name)).toEqual(await (await first!).read(name));
      }
    }
  });

  it('has the bias of an untied head by both of its names, of which transformers 5 reads the second', async () => {
    const untied = (options: object) => BertForMaskedLM.create({ ...sizes, ...options }, { rng: rng(3) });
    const names = async (name: string, model: PretrainedModel) => {
      const checkpoint = await openCheckpoint(await saved(name, model));
      await checkpoint.close();
      return [...checkpoint.tensors.keys()].filter(
        (each) => each.endsWith('predictions.bias') || each.endsWith('decoder.bias'),
      );
    };
    const [head, layer] = ['cls.predictions.bias', 'cls.predictions.decoder.bias'];
    expect(await names('one bias', untied({}))).toEqual([head]);
    expect(await names('both biases', untied({ tieWordEmbeddings: false }))).toEqual([head, layer]);
    const path = folder('both biases');
    await editWeights(path, (name, shape) => (name === layer ? [] : [[name, [...shape]]]));
    const loaded = await BertForMaskedLM.fromPretrained(path); // as transformers 4 saves one
    loaded.cls.predictions.bias.fill_(7);
    const own = new Uint8Array(await loaded.cls.predictions.bias.bytes());
    const checkpoint = await openCheckpoint(path);
    const entries = [...checkpoint.tensors].map(async ([name, { shape, dtype }]) => {
      return { name, shape, dtype, data: new Uint8Array(await checkpoint.read(name)) };
    });
    const tensors = await Promise.all(entries);
    await checkpoint.close();
    await writeCheckpoint(path, [
      ...tensors,
      { ...tensors.find(({ name }) => name === head)!, name: layer, data: own },
    ]);
    const fifth = await BertForMaskedLM.fromPretrained(path);
    expect([...(await fifth.cls.predictions.bias.data())]).toEqual(new Array(TINY.vocabSize).fill(7));
  });

  it('says 1.0 where transformers takes no whole number', async () => {
    const ropeScaling = { type: 'linear', factor: 2 } as const;
    const path = await saved('whole', tinyLlama({ initializerRange: 1, attentionDropout: 0, ropeScaling }));
    const text = readFileSync(`${path}/config.json`, 'utf8');
    for (const line of [
      '"initializer_range": 1.0,',
      '"attention_dropout": 0.0,',
      '"vocab_size": 37,',
      '"factor": 2\n',
    ]) {
      expect(text).toContain(line);
    }
    expect((await LlamaForCausalLM.fromPretrained(path)).config.initializerRange).toBe(1);
  });

  it('holds config.json, the weights and the tokenizer, and tells sizes', async () => {
    const path = folder('with tokenizer');
    const written = await tinyLlama().savePretrained(path, { tokenizer: new ByteTokenizer() });
    expect(readdirSync(path).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(written.map(({ byteLength }) => byteLength)).toEqual([readFileSync(`${path}/model.safetensors`).length]);
    expect(readJson(`${path}/config.json`)).toMatchObject({
      ...{ architectures: ['LlamaForCausalLM'], model_type: 'llama', dtype: 'float32', vocab_size: 37 },
    });
    expect((await Tokenizer.fromFolder(path)).encode('Hi')).toEqual([1, 75, 108]);
  });

  it('names its classes as transformers does, and keeps names that were given', async () => {
    const model = LlamaForSequenceClassification.fromCausal(tinyLlama(), { numLabels: 2, rng: rng(2) });
    const path = await saved('classes', model);
    expect(readJson(`${path}/config.json`)).toMatchObject({
      ...{ id2label: { 0: 'LABEL_0', 1: 'LABEL_1' }, label2id: { LABEL_0: 0, LABEL_1: 1 } },
    });
    const names = { id2label: { 0: 'ham', 1: 'spam' }, label2id: { ham: 0, spam: 1 } };
    editConfig(path, names);
    const loaded = await LlamaForSequenceClassification.fromPretrained(path);
    await loaded.savePretrained(path, { replace: true });
    expect(readJson(`${path}/config.json`)).toMatchObject(names);
  });

  it('may be in shards', async () => {
    const model = tinyLlama();
    await model.savePretrained(folder('shards'), { maxShardBytes: 8000 });
    expect(readdirSync(folder('shards')).filter((file) => file.endsWith('.safetensors')).length).toBeGreaterThan(2);
    const loaded = await LlamaForCausalLM.fromPretrained(folder('shards'));
    expect(await loaded.lmHead.weight.data()).toEqual(await model.lmHead.weight.data());
  });

  it('is not written over unless told so', async () => {
    const path = await saved('twice');
    await expect(tinyLlama().savePretrained(path)).rejects.toThrow(CheckpointError);
    await tinyLlama().savePretrained(path, { replace: true });
  });

  it('is refused where weights would be left out', async () => {
    const model = tinyLlama();
    await quantizeModel(model);
    await expect(model.savePretrained(folder('4-bit'))).rejects.toThrow(
      'savePretrained: model.layers.0.self_attn.q_proj: a layer must be a plain Linear: got Linear4bit; ' +
        'merge adapters and dequantize 4-bit layers first, or save the adapter alone',
    );
    expect(existsSync(folder('4-bit'))).toBe(false);
  });
});

describe('a folder that is loaded', () => {
  it('is in evaluation mode, and drops in training where it is given a generator', async () => {
    const path = await saved('dropout', tinyBert());
    const logits = (model: BertForSequenceClassification) =>
      noGrad(() => model.forward({ inputIds: ids([1, 2, 3]) })).logits.data();
    const still = await BertForSequenceClassification.fromPretrained(path);
    expect(still.training).toBe(false);
    expect(await logits(still.train())).toEqual(await logits(still.eval()));
    const dropping = await BertForSequenceClassification.fromPretrained(path, { rng: rng(1) });
    expect(await logits(dropping)).toEqual(await logits(still));
    expect(await logits(dropping.train())).not.toEqual(await logits(still));
  });

  it('may name a dropout of the attention though nobody draws it', async () => {
    const path = await saved('attention dropout', tinyLlama({ attentionDropout: 0.5 }));
    const model = await LlamaForCausalLM.fromPretrained(path);
    const logits = () => noGrad(() => model.forward({ inputIds: ids([1, 2, 3]) })).logits.data();
    const still = await logits();
    model.train();
    expect(await logits()).toEqual(still);
    const dropping = await LlamaForCausalLM.fromPretrained(path, { rng: rng(1) });
    dropping.train();
    expect(await noGrad(() => dropping.forward({ inputIds: ids([1, 2, 3]) })).logits.data()).not.toEqual(still);
  });

  it('fills a tied matrix from whichever of its names the file has', async () => {
    const path = await saved('under the head');
    const before = await (await LlamaForCausalLM.fromPretrained(path)).lmHead.weight.data();
    await editWeights(path, (name, shape) => [
      [name === 'model.embed_tokens.weight' ? 'lm_head.weight' : name, [...shape]],
    ]);
    const model = await LlamaForCausalLM.fromPretrained(path);
    expect(await model.model.embedTokens.weight.data()).toEqual(before);
  });

  it('may have a tied matrix by both of its names, but not two of them', async () => {
    const path = await saved('twice');
    const model = await LlamaForCausalLM.fromPretrained(path);
    const twice = (head: string[]) =>
      editWeights(path, (name, shape) =>
        name === head[0] ? head.map((each) => [each, [...shape]]) : [[name, [...shape]]],
      );
    await twice(['model.embed_tokens.weight', 'lm_head.weight']);
    const same = await LlamaForCausalLM.fromPretrained(path);
    expect(await same.lmHead.weight.data()).toEqual(await model.lmHead.weight.data());
    const other = tinyLlama({ tieWordEmbeddings: false });
    await other.savePretrained(path, { replace: true });
    editConfig(path, { tie_word_embeddings: true });
    const before = cpu().memory.liveBuffers;
    await expect(LlamaForCausalLM.fromPretrained(path)).rejects.toThrow(
      `${path}/model.safetensors: model.embed_tokens.weight: expected what lm_head.weight holds, as the model has ` +
        'one matrix for both, got other numbers; where config.json ties a head that has its own, set its ' +
        'tie_word_embeddings to false',
    );
    expect(cpu().memory.liveBuffers).toBe(before);
  });

  it('passes over what older versions of transformers saved besides', async () => {
    const path = await saved('derived');
    await editWeights(path, (name, shape) => [
      [name, [...shape]],
      ...(name === 'model.norm.weight'
        ? ([['model.layers.0.self_attn.rotary_emb.inv_freq', [3]]] as [string, number[]][])
        : []),
    ]);
    await LlamaForCausalLM.fromPretrained(path);
  });

  it('takes its end tokens from generation_config.json first', async () => {
    const path = await saved('generation config', tinyLlama({ eosTokenId: 2 }));
    expect((await LlamaForCausalLM.fromPretrained(path)).config.eosTokenIds).toEqual([2]);
    writeFileSync(`${path}/generation_config.json`, '{"eos_token_id": [1, 2]}');
    expect((await LlamaForCausalLM.fromPretrained(path)).config.eosTokenIds).toEqual([1, 2]);
    writeFileSync(`${path}/generation_config.json`, '{"max_length": 512}');
    expect((await LlamaForCausalLM.fromPretrained(path)).config.eosTokenIds).toEqual([2]);
    writeFileSync(`${path}/generation_config.json`, '{"eos_token_id": "</s>"}');
    await expect(LlamaForCausalLM.fromPretrained(path)).rejects.toThrow(
      `${path}/generation_config.json: eos_token_id must be a token id or a list of them, got "</s>"`,
    );
  });

  it('keeps generation_config.json', async () => {
    const path = await saved('generation config kept');
    writeFileSync(`${path}/generation_config.json`, '{"num_beams": 3, "eos_token_id": [1, 2]}');
    const model = await LlamaForCausalLM.fromPretrained(path);
    expect(model.generationConfig).toEqual({ num_beams: 3, eos_token_id: [1, 2] });
    await model.savePretrained(`${path}-again`);
    const again = await LlamaForCausalLM.fromPretrained(`${path}-again`);
    expect(again.generationConfig).toEqual(model.generationConfig);
    expect(tinyLlama().generationConfig).toBeNull();
  });

  it('gets another head where names may be missing and left over', async () => {
    const path = await saved('another head', tinyLlama());
    editConfig(path, { architectures: ['LlamaForSequenceClassification'] });
    const options = { allowMissing: /^score\./g, allowUnexpected: /^lm_head\./ };
    const model = await LlamaForSequenceClassification.fromPretrained(path, options);
    expectClose(await model.score.weight.data(), new Float32Array(48), EXACT);
    await expect(LlamaForSequenceClassification.fromPretrained(path, { allowMissing: /^score\./ })).rejects.toThrow(
      'missing none; unexpected lm_head.weight',
    );
  });

  it('is refused where names differ, with the file and the names', async () => {
    const path = await saved('names');
    await editWeights(path, (name, shape) => [[name.replace('layers.1.mlp', 'layers.2.mlp'), [...shape]]]);
    const before = cpu().memory.liveBuffers;
    await expect(LlamaForCausalLM.fromPretrained(path)).rejects.toThrow(
      new RangeError(
        `${path}/model.safetensors: the names must be those of the module: ` +
          'missing model.layers.1.mlp.gate_proj.weight, model.layers.1.mlp.up_proj.weight, model.layers.1.mlp.down_proj.weight; ' +
          'unexpected model.layers.2.mlp.down_proj.weight, model.layers.2.mlp.gate_proj.weight, model.layers.2.mlp.up_proj.weight',
      ),
    );
    expect(cpu().memory.liveBuffers).toBe(before);
  });

  it('is refused where a shape differs, with the tensor and both shapes', async () => {
    const path = await saved('shapes');
    await editWeights(path, (name, shape) => [[name, name === 'model.norm.weight' ? [23] : [...shape]]]);
    const refused = LlamaForCausalLM.fromPretrained(path);
    await expect(refused).rejects.toThrow(ShapeError);
    await expect(refused).rejects.toThrow(
      `${path}/model.safetensors: model.norm.weight: expected [24], as config.json says, got [23]`,
    );
  });

  it('is refused where config.json asks for far more than there is, before memory is taken', async () => {
    const path = await saved('sizes');
    editConfig(path, { vocab_size: 2_000_000_000 });
    const before = cpu().memory.peakBytes;
    const refused = LlamaForCausalLM.fromPretrained(path);
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(
      `${path}/config.json: the sizes must be those of the weights: expected about`,
    );
    expect(cpu().memory.peakBytes).toBe(before);
    editConfig(path, { vocab_size: 38 });
    await expect(LlamaForCausalLM.fromPretrained(path)).rejects.toThrow('expected [38,24], as config.json says');
  });

  it('is refused where the architecture is another or unknown, with those that are known', async () => {
    const path = await saved('architecture');
    const known = 'LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM, GemmaForCausalLM';
    await expect(BertForMaskedLM.fromPretrained(path)).rejects.toThrow(
      `${path}/config.json: architectures must name a model known here: expected BertForMaskedLM, got 'LlamaForCausalLM'`,
    );
    editConfig(path, { architectures: ['XLNetLMHeadModel'] });
    await expect(LlamaForCausalLM.fromPretrained(path)).rejects.toThrow(`expected ${known}, got 'XLNetLMHeadModel'`);
    await expect(fromPretrained(path)).rejects.toThrow(/expected .*Bert.*, got 'XLNetLMHeadModel'/);
    editConfig(path, { architectures: null });
    await expect(fromPretrained(path)).rejects.toThrow('got none');
    editConfig(path, { architectures: ['MistralForCausalLM'] });
    await expect(fromPretrained(path)).rejects.toThrow(
      `${path}/config.json: model_type must be one of mistral, got "llama"`,
    );
  });

  it('is refused where a file is not there, damaged, or of a dtype that tensors have not', async () => {
    await expect(fromPretrained(folder('nowhere'))).rejects.toThrow(CheckpointError);
    const path = await saved('damaged');
    cpSync(path, folder('no weights'), { recursive: true });
    rmSync(`${folder('no weights')}/model.safetensors`);
    await expect(fromPretrained(folder('no weights'))).rejects.toThrow('expected model.safetensors');
    const weights = readFileSync(`${path}/model.safetensors`);
    writeFileSync(`${path}/model.safetensors`, weights.subarray(0, -1));
    await expect(fromPretrained(path)).rejects.toThrow(CheckpointError);
    const text = weights.toString('latin1').replace('"F32"', '"I32"').replace('"F32"', '"U32"');
    writeFileSync(`${path}/model.safetensors`, Buffer.from(text, 'latin1'));
    await expect(fromPretrained(path)).rejects.toThrow('the dtype must be one that tensors have: expected F32, F16');
    mkdirSync(folder('empty'));
    await expect(fromPretrained(folder('empty'))).rejects.toThrow(`${folder('empty')}/config.json`);
  });
});
