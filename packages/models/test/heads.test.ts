import { readFileSync, writeFileSync } from 'node:fs';
import {
  BartForQuestionAnswering,
  BartForSequenceClassification,
  DeepseekV2ForSequenceClassification,
  GPT2ForQuestionAnswering,
  GPT2ForTokenClassification,
  GPTNeoForQuestionAnswering,
  GPTNeoForSequenceClassification,
  GPTNeoForTokenClassification,
  GPTNeoXForQuestionAnswering,
  GPTNeoXForSequenceClassification,
  GPTNeoXForTokenClassification,
  LlamaForQuestionAnswering,
  LlamaForTokenClassification,
  type LlamaModelType,
  type ModelOutput,
  Phi3ForSequenceClassification,
  Phi3ForTokenClassification,
  type PretrainedModel,
  T5ForConditionalGeneration,
  T5ForSequenceClassification,
  T5ForTokenClassification,
  tokenBatch,
} from '@burin/models';
import { noGrad, type Tensor } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { expectGradients, expectSameFromFolder } from './promises.js';
import { ids, rng, TINY, temporaryFolders } from './support.js';

const folder = temporaryFolders();

const SIZES = {
  ...{ vocabSize: 37, hiddenSize: 24, intermediateSize: 20, numHiddenLayers: 2, numAttentionHeads: 4 },
  ...{ maxPositionEmbeddings: 40, initializerRange: 0.3, numLabels: 3 },
};
const GPT2 = { vocabSize: 37, nEmbd: 24, nLayer: 2, nHead: 4, nPositions: 40, initializerRange: 0.3, numLabels: 3 };
const NEO = {
  vocabSize: 37,
  hiddenSize: 24,
  numLayers: 2,
  numHeads: 4,
  windowSize: 3,
  initializerRange: 0.3,
  numLabels: 3,
};
const NEOX = { ...SIZES, rotaryPct: 1 };
const DEEPSEEK = {
  ...{ ...SIZES, qLoraRank: null, kvLoraRank: 9, qkNopeHeadDim: 5, qkRopeHeadDim: 4, vHeadDim: 7 },
  ...{ moeIntermediateSize: 10, nRoutedExperts: 2, numExpertsPerTok: 2, firstKDenseReplace: 1 },
};
const T5 = { vocabSize: 37, dModel: 24, dKv: 5, dFf: 20, numLayers: 2, numHeads: 4, numLabels: 3 };
const BART = {
  ...{ vocabSize: 37, dModel: 24, encoderLayers: 2, decoderLayers: 2, encoderAttentionHeads: 4, initStd: 0.3 },
  ...{ decoderAttentionHeads: 3, encoderFfnDim: 20, decoderFfnDim: 28, maxPositionEmbeddings: 20, padTokenId: 0 },
};
/** Sums over other lengths, of logits of about 10. */
const PADDED = { rtol: 1e-3, atol: 1e-4 };
const ROWS = [
  [6, 5, 9, 2, 30],
  [4, 8, 3],
];

type Headed = PretrainedModel & { forward(input: object): ModelOutput };

const text = () => ({ labels: ids([2, 0]).reshape([2]) });
const tokens = () => ({ labels: ids([1, 0, 2, -100, 1], [0, 2, 1, -100, -100]) });
const span = () => ({ startPositions: ids([1, 0]).reshape([2]), endPositions: ids([3, 1]).reshape([2]) });

const llama = (modelType: LlamaModelType) => ({
  ...TINY,
  modelType,
  numLabels: 3,
  ...(modelType === 'gemma' && { headDim: 6 }),
});

const DECODERS: [name: string, make: () => Headed, targets: () => Record<string, Tensor>][] = [
  ...(['llama', 'mistral', 'qwen2', 'qwen3', 'gemma'] as const).map((modelType): (typeof DECODERS)[number] => [
    `LlamaForTokenClassification of ${modelType}`,
    () => LlamaForTokenClassification.create(llama(modelType), { rng: rng(1) }),
    tokens,
  ]),
  ...(['llama', 'qwen2', 'qwen3'] as const).map((modelType): (typeof DECODERS)[number] => [
    `LlamaForQuestionAnswering of ${modelType}`,
    () => LlamaForQuestionAnswering.create(llama(modelType), { rng: rng(2) }),
    span,
  ]),
  ['GPT2ForTokenClassification', () => GPT2ForTokenClassification.create(GPT2, { rng: rng(3) }), tokens],
  ['GPT2ForQuestionAnswering', () => GPT2ForQuestionAnswering.create(GPT2, { rng: rng(4) }), span],
  ['GPTNeoForSequenceClassification', () => GPTNeoForSequenceClassification.create(NEO, { rng: rng(5) }), text],
  ['GPTNeoForTokenClassification', () => GPTNeoForTokenClassification.create(NEO, { rng: rng(6) }), tokens],
  ['GPTNeoForQuestionAnswering', () => GPTNeoForQuestionAnswering.create(NEO, { rng: rng(7) }), span],
  ['GPTNeoXForSequenceClassification', () => GPTNeoXForSequenceClassification.create(NEOX, { rng: rng(8) }), text],
  ['GPTNeoXForTokenClassification', () => GPTNeoXForTokenClassification.create(NEOX, { rng: rng(9) }), tokens],
  ['GPTNeoXForQuestionAnswering', () => GPTNeoXForQuestionAnswering.create(NEOX, { rng: rng(10) }), span],
  ['Phi3ForSequenceClassification', () => Phi3ForSequenceClassification.create(SIZES, { rng: rng(11) }), text],
  ['Phi3ForTokenClassification', () => Phi3ForTokenClassification.create(SIZES, { rng: rng(12) }), tokens],
  [
    'DeepseekV2ForSequenceClassification',
    () => DeepseekV2ForSequenceClassification.create(DEEPSEEK, { rng: rng(13) }),
    text,
  ],
];

/** The decoder begins at the first place, so that these are padded on the right alone. */
const ENCODER_DECODERS: typeof DECODERS = [
  ['T5ForSequenceClassification', () => T5ForSequenceClassification.create(T5, { rng: rng(14) }), text],
  ['T5ForTokenClassification', () => T5ForTokenClassification.create(T5, { rng: rng(15) }), tokens],
  ['BartForSequenceClassification', () => BartForSequenceClassification.create(BART, { rng: rng(16) }), text],
  ['BartForQuestionAnswering', () => BartForQuestionAnswering.create(BART, { rng: rng(17) }), span],
];

const batch = (paddingSide: 'left' | 'right' = 'right') => tokenBatch(ROWS, { vocabSize: 37, paddingSide });

describe.each([...DECODERS, ...ENCODER_DECODERS])('%s', (name, make, targets) => {
  it('comes back from a folder as it was', async () => {
    await expectSameFromFolder(make(), folder(name), (model) => model.forward({ ...batch(), ...targets() }));
  });

  it('has the gradients of its loss', async () => {
    // rows of one length: the padding id gets no gradient, though a span's loss sees its logits
    const rows = tokenBatch([ROWS[0]!, [...ROWS[1]!, 7, 11]], { vocabSize: 37 });
    await expectGradients(make(), (model) => model.forward({ ...rows, ...targets() }));
  });

  it('sees no padding', async () => {
    const model = make().eval();
    const logitsOf = async (input: object) => Array.from(await noGrad(() => model.forward(input).logits).data());
    const alone = await logitsOf({ inputIds: ids(ROWS[1]!) });
    const right = await logitsOf(batch('right'));
    expectClose(right.slice(right.length / 2).slice(0, alone.length), alone, PADDED);
    if (!DECODERS.some(([decoder]) => decoder === name)) return;
    expectClose((await logitsOf(batch('left'))).slice(-alone.length), alone, PADDED);
  });
});

describe('a head over an encoder-decoder', () => {
  it('stands on the body of a language model', async () => {
    const language = T5ForConditionalGeneration.create(T5, { rng: rng(18) }).eval();
    const path = folder('language');
    await language.savePretrained(path);
    const config = JSON.parse(readFileSync(`${path}/config.json`, 'utf8'));
    const changed = { ...config, architectures: ['T5ForSequenceClassification'] }; // what one writes to get another head
    writeFileSync(`${path}/config.json`, JSON.stringify(changed));
    const given = { allowMissing: /^classification_head\./, allowUnexpected: /^lm_head\./ };
    const model = await T5ForSequenceClassification.fromPretrained(path, given);
    const [expected, actual] = [language.shared.weight, model.transformer.shared.weight];
    expectClose(await actual.data(), await expected.data(), EXACT);
  });

  it('that reads the encoder alone is saved by transformers as no encoder-decoder', async () => {
    const model = T5ForTokenClassification.create(T5, { rng: rng(19) }).eval();
    const path = folder('encoder');
    await model.savePretrained(path);
    const config = JSON.parse(readFileSync(`${path}/config.json`, 'utf8'));
    writeFileSync(`${path}/config.json`, JSON.stringify({ ...config, is_encoder_decoder: false }));
    const loaded = await T5ForTokenClassification.fromPretrained(path);
    const of = (each: T5ForTokenClassification) =>
      noGrad(() => each.forward({ inputIds: ids(ROWS[0]!) }).logits).data();
    expectClose(await of(loaded), await of(model), EXACT);
  });

  it('reads the decoder at the last real token of the text moved by one', async () => {
    const model = BartForSequenceClassification.create(BART, { rng: rng(16) }).eval();
    const logits = (input: object) => noGrad(() => model.forward(input as never).logits).data();
    const own = await logits({ inputIds: ids(ROWS[0]!) });
    const start = model.config.decoderStartTokenId;
    const given = await logits({ inputIds: ids(ROWS[0]!), decoderInputIds: ids([start, ...ROWS[0]!.slice(0, -1)]) });
    expectClose(given, own, EXACT);
  });

  it('has as many classes as transformers takes where nobody says', () => {
    expect(BartForSequenceClassification.create(BART, { rng: rng() }).config.numLabels).toBe(3);
    expect(
      T5ForTokenClassification.create({ ...T5, numLabels: undefined as never }, { rng: rng() }).config.numLabels,
    ).toBe(2);
  });
});

describe('heads of the Llama family', () => {
  it('are named after the member', () => {
    const name = (modelType: LlamaModelType) =>
      LlamaForTokenClassification.create(llama(modelType), { rng: rng() }).architecture;
    expect((['llama', 'mistral', 'qwen2', 'qwen3', 'gemma'] as const).map(name)).toEqual([
      ...['LlamaForTokenClassification', 'MistralForTokenClassification', 'Qwen2ForTokenClassification'],
      ...['Qwen3ForTokenClassification', 'GemmaForTokenClassification'],
    ]);
  });

  it('are those that transformers has', () => {
    expect(() => LlamaForQuestionAnswering.create(llama('gemma'), { rng: rng() })).toThrow(
      'LlamaForQuestionAnswering: model_type must be one that transformers has this head for: ' +
        'expected llama, qwen2, qwen3, got gemma',
    );
  });

  it('drop states in training alone', async () => {
    const model = LlamaForTokenClassification.create(llama('llama'), { rng: rng() });
    const logits = () => noGrad(() => model.forward(batch()).logits).data();
    expect(model.config.classifierDropout).toBe(0.1);
    expect(await logits()).not.toEqual(await logits());
    model.eval();
    expect(await logits()).toEqual(await logits());
  });
});

it('a head of one class gives logits, as of a regression, but has no loss of labels to learn from', () => {
  const model = Phi3ForSequenceClassification.create({ ...SIZES, numLabels: 1 }, { rng: rng(1) }).eval();
  const batch = tokenBatch(ROWS, { vocabSize: 37 });
  expect(noGrad(() => model.forward(batch)).logits.shape).toEqual([2, 1]);
  expect(() => model.forward({ ...batch, labels: ids([0, 0]).reshape([2]) })).toThrow(
    new RangeError(
      'labels need two classes or more: expected numLabels of 2 or more, got 1; a regression has the loss mse(logits, values)',
    ),
  );
});
