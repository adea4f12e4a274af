import { readFileSync, writeFileSync } from 'node:fs';
import {
  BartForConditionalGeneration,
  generateFromEncoder,
  type PretrainedModel,
  type Seq2SeqInput,
  type Seq2SeqModel,
  type Seq2SeqOutput,
  T5ForConditionalGeneration,
  Transformer,
  tokenBatch,
} from '@burin/models';
import { cpu, noGrad } from '@burin/tensor';
import { expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { expectGradients, expectSameFromFolder } from './promises.js';
import { ids, rng, temporaryFolders } from './support.js';

const folder = temporaryFolders();

type EncoderDecoder = PretrainedModel & Seq2SeqModel & { forward(input: Seq2SeqInput): Seq2SeqOutput };

const T5 = {
  ...{ vocabSize: 37, dModel: 24, dKv: 5, dFf: 20, numLayers: 2, numDecoderLayers: 3, numHeads: 4 },
  ...{ relativeAttentionNumBuckets: 8, relativeAttentionMaxDistance: 9 },
};

const BART = {
  ...{ vocabSize: 37, dModel: 24, encoderLayers: 2, decoderLayers: 3, encoderAttentionHeads: 4, initStd: 0.3 },
  ...{ decoderAttentionHeads: 3, encoderFfnDim: 20, decoderFfnDim: 28, maxPositionEmbeddings: 20, padTokenId: 0 },
};

const FIRST = {
  ...{ srcVocab: 37, tgtVocab: 37, dModel: 24, nHeads: 4, nEncoderLayers: 2, nDecoderLayers: 3, dFf: 20 },
  activation: 'gelu',
} as const;

const MODELS: [name: string, make: () => EncoderDecoder][] = [
  ['T5', () => T5ForConditionalGeneration.create(T5, { rng: rng(5) })],
  [
    'T5 1.1',
    () =>
      T5ForConditionalGeneration.create(
        { ...T5, feedForwardProj: 'gated-gelu', tieWordEmbeddings: false },
        { rng: rng(2) },
      ),
  ],
  ['BART', () => BartForConditionalGeneration.create(BART, { rng: rng(3) })],
  [
    'BART with scaled embeddings and a head of its own',
    () =>
      BartForConditionalGeneration.create({ ...BART, scaleEmbedding: true, tieWordEmbeddings: false }, { rng: rng(4) }),
  ],
  ['the first Transformer', () => Transformer.create(FIRST, { rng: rng(5) })],
  [
    'a Transformer with its norms first',
    () => Transformer.create({ ...FIRST, normFirst: true, finalNorms: false }, { rng: rng(6) }),
  ],
];

const SOURCES = [[5, 9, 4], [7, 8, 11, 6, 30, 12], [3]];
const LABELS = ids([4, 8, 3, 2], [6, 7, 2, -100], [9, 2, -100, -100]);

describe.each(MODELS)('%s', (name, make) => {
  const batch = () => tokenBatch(SOURCES, { vocabSize: 37 });
  const run = (model: EncoderDecoder) => model.forward({ ...batch(), labels: LABELS });

  it('comes back from a folder as it was', async () => {
    await expectSameFromFolder(make(), folder(name), run);
  });

  it('generates the same with the caches, without, in a batch and alone', async () => {
    const model = make();
    const options = { maxNewTokens: 9, eosTokenIds: [] };
    const rows = await generateFromEncoder(model, SOURCES, options);
    expect(rows.map((row) => row.length)).toEqual([10, 10, 10]);
    expect(await generateFromEncoder(model, SOURCES, { ...options, useCache: false })).toEqual(rows);
    for (const [r, source] of SOURCES.entries()) {
      expect(await generateFromEncoder(model, [source], options)).toEqual([rows[r]]);
    }
    expect(model.training).toBe(true);
  });

  it('has the gradients of its loss', async () => {
    const sources = tokenBatch(
      SOURCES.map((row) => [...row, ...row].slice(0, 3)),
      { vocabSize: 37 },
    );
    const three = { inputIds: sources.inputIds.narrow(0, 0, 2), labels: LABELS.narrow(0, 0, 2) };
    await expectGradients(make(), (model) => model.forward(three));
  });

  it('reads labels moved by one, with padding in place of -100', async () => {
    const model = make().eval();
    const { decoderStartTokenId: start, padTokenId: pad } = model.config;
    const decoderInputIds = ids([start, 4, 8, 3], [start, 6, 7, 2], [start, 9, 2, pad]);
    const given = noGrad(() => model.forward({ ...batch(), decoderInputIds }));
    const moved = noGrad(() => run(model));
    expect(await given.logits.data()).toEqual(await moved.logits.data());
    expect(given.loss).toBeNull();
  });

  it('does not see what comes later, nor padding of the source', async () => {
    const model = make().eval();
    const logits = async (source: Seq2SeqInput, ...decoder: number[]) =>
      noGrad(() => model.forward({ ...source, decoderInputIds: ids(decoder) }).logits).data();
    const padded = { inputIds: ids([5, 9, 4, 0, 0]), attentionMask: ids([1, 1, 1, 0, 0]).to('uint8') };
    const [some, other] = [await logits({ inputIds: ids([5, 9, 4]) }, 0, 4, 8), await logits(padded, 0, 4, 30)];
    expectClose(other.slice(0, 2 * 37), some.slice(0, 2 * 37), { rtol: 1e-4, atol: 1e-5 });
  });

  it('frees what it takes', async () => {
    const before = cpu().memory.liveBuffers;
    const model = make();
    await generateFromEncoder(model, SOURCES, { maxNewTokens: 3 });
    model.dispose();
    expect(cpu().memory.liveBuffers).toBe(before);
  });

  it('says what it needs', async () => {
    const model = make();
    expect(() => model.forward(batch())).toThrow(
      `${model.architecture}: the decoder needs tokens to read: give labels or decoderInputIds, got neither`,
    );
    await expect(generateFromEncoder(model, [[37]])).rejects.toThrow('ids must be whole numbers from 0 to 36');
    expect(await generateFromEncoder(model, [])).toEqual([]);
    expect(await generateFromEncoder(model, [[3]], { maxNewTokens: 0 })).toEqual([[model.config.decoderStartTokenId]]);
  });
});

describe('T5', () => {
  it('refuses options that do not go together or are not computed', () => {
    const make = (options: object) => () => T5ForConditionalGeneration.create({ ...T5, ...options }, { rng: rng() });
    expect(make({ feedForwardProj: 'gated-sine' })).toThrow('feed_forward_proj must be one of relu, gelu');
    expect(make({ feedForwardProj: 'gated-gelu', denseActFn: 'relu' })).toThrow(
      'dense_act_fn = "relu" is not supported',
    );
    expect(make({ isEncoderDecoder: false })).toThrow('is_encoder_decoder = false is not supported');
  });

  const make = (options: object) => T5ForConditionalGeneration.create({ ...T5, ...options }, { rng: rng(2) }).eval();
  const logits = (model: T5ForConditionalGeneration) =>
    noGrad(() => model.forward({ ...tokenBatch(SOURCES, { vocabSize: 37 }), labels: LABELS }).logits).data();
  const rewrite = (path: string, change: object) => {
    const file = `${path}/config.json`;
    writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), ...change }));
  };

  it('writes what its decoder begins and ends with, by which transformers generates', () => {
    expect(make({}).rawConfig).toMatchObject({ decoder_start_token_id: 0, pad_token_id: 0, eos_token_id: 1 });
    expect(make({ padTokenId: 3 }).rawConfig.decoder_start_token_id).toBe(3);
    expect(make({ padTokenId: 3, decoderStartTokenId: 4 }).rawConfig.decoder_start_token_id).toBe(4);
  });

  it('1.1 that transformers 5 saved, which calls every T5 tied, has the head that is in the file', async () => {
    const model = make({ tieWordEmbeddings: false });
    const path = folder('saved by transformers 5');
    await model.savePretrained(path);
    rewrite(path, { tie_word_embeddings: true, scale_decoder_outputs: false });
    const loaded = await T5ForConditionalGeneration.fromPretrained(path);
    expect(await logits(loaded)).toEqual(await logits(model));
    await loaded.savePretrained(`${path} again`);
    expect(await logits(await T5ForConditionalGeneration.fromPretrained(`${path} again`))).toEqual(await logits(model));
  });

  it('is tied and not scaled where config.json says so and the file has no head', async () => {
    const model = make({});
    const path = folder('tied, not scaled');
    await model.savePretrained(path);
    rewrite(path, { tie_word_embeddings: true, scale_decoder_outputs: false });
    const loaded = await T5ForConditionalGeneration.fromPretrained(path);
    expect(loaded.lmHead.weight).toBe(loaded.shared.weight);
    const scaled = await logits(model);
    expectClose(
      await logits(loaded),
      Array.from(scaled, (logit) => logit * Math.sqrt(T5.dModel)),
      {
        ...{ rtol: 1e-6, atol: 1e-5 }, // a few roundings more
      },
    );
  });
});

describe('BART', () => {
  const make =
    (options: object = {}) =>
    () =>
      BartForConditionalGeneration.create({ ...BART, ...options }, { rng: rng(3) });

  it('writes what its decoder begins and ends with, by which transformers generates', () => {
    const written = {
      bos_token_id: 0,
      pad_token_id: 0,
      eos_token_id: 2,
      decoder_start_token_id: 2,
      forced_eos_token_id: 2,
    };
    expect(make()().rawConfig).toMatchObject(written); // of a padding id that was given
    expect(make({ forcedEosTokenId: null })().rawConfig.forced_eos_token_id).toBeNull();
  });

  it('begins with the token that it is told to', async () => {
    const [row] = await generateFromEncoder(make({ forcedBosTokenId: 9 })(), [[5, 6]], { maxNewTokens: 4 });
    expect(row!.slice(0, 2)).toEqual([2, 9]);
    expect(row!.length).toBeLessThanOrEqual(5);
  });

  it('has room for as many tokens as it says, on each side', async () => {
    const long = Array.from({ length: 21 }, () => 5);
    await expect(generateFromEncoder(make()(), [long])).rejects.toThrow(
      'BartEncoder: texts have at most 20 tokens, got position 20; truncate them',
    );
    expect(await generateFromEncoder(make()(), [long.slice(1)], { maxNewTokens: 20, eosTokenIds: [] })).toHaveLength(1);
    await expect(generateFromEncoder(make()(), [[5]], { maxNewTokens: 21 })).rejects.toThrow('do not fit');
  });

  it('refuses options that do not go together or are not computed', () => {
    expect(make({ encoderAttentionHeads: 5 })).toThrow(
      'encoder_attention_heads must be a divisor of d_model 24, got 5',
    );
    expect(make({ normalizeBefore: true })).toThrow('normalize_before = true is not supported');
    expect(make({ encoderLayerdrop: 0.1 })).toThrow('encoder_layerdrop = 0.1 is not supported');
  });
});
