import {
  type CausalModel,
  GPT2ForSequenceClassification,
  GPT2LMHeadModel,
  GPTNeoForCausalLM,
  GPTNeoXForCausalLM,
  Phi3ForCausalLM,
  type PretrainedModel,
  tokenBatch,
} from '@burin/models';
import { noGrad } from '@burin/tensor';
import { expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { expectGradients, expectSameFromFolder, expectSteadyGeneration } from './promises.js';
import { ids, rng, temporaryFolders, tinyLlama } from './support.js';

const folder = temporaryFolders();

const GPT2 = { vocabSize: 37, nEmbd: 24, nLayer: 2, nHead: 4, nPositions: 40, initializerRange: 0.3 };

const SIZES = {
  ...{ vocabSize: 37, hiddenSize: 24, intermediateSize: 20, numHiddenLayers: 2, numAttentionHeads: 4 },
  ...{ maxPositionEmbeddings: 40, initializerRange: 0.3 },
};

type LanguageModel = CausalModel & PretrainedModel;

/** One of each kind of decoder, and what its options change. */
const DECODERS: [name: string, make: () => LanguageModel][] = [
  [
    'Qwen3',
    () => tinyLlama({ modelType: 'qwen3', headDim: 8, useSlidingWindow: true, maxWindowLayers: 1, slidingWindow: 3 }),
  ],
  ['Gemma', () => tinyLlama({ modelType: 'gemma', headDim: 8, numKeyValueHeads: 1 })],
  ['GPT-NeoX', () => GPTNeoXForCausalLM.create({ ...SIZES, hiddenSize: 32, rotaryPct: 0.5 }, { rng: rng(5) })],
  [
    'GPT-NeoX, serial and tied',
    () =>
      GPTNeoXForCausalLM.create(
        { ...SIZES, rotaryPct: 1, useParallelResidual: false, tieWordEmbeddings: true, attentionBias: false },
        { rng: rng(6) },
      ),
  ],
  [
    'GPT-Neo',
    () =>
      GPTNeoForCausalLM.create(
        { ...{ vocabSize: 37, hiddenSize: 24, numLayers: 3, numHeads: 4 }, windowSize: 3, initializerRange: 0.3 },
        { rng: rng(8) },
      ),
  ],
  [
    'GPT-NeoX, stretched',
    () =>
      GPTNeoXForCausalLM.create(
        { ...SIZES, rotaryPct: 1, ropeScaling: { type: 'linear', factor: 4 } },
        { rng: rng(5) },
      ),
  ],
  [
    'Llama, dynamic within its length',
    () => tinyLlama({ ropeScaling: { type: 'dynamic', factor: 2, originalMaxPositionEmbeddings: 64 } }),
  ],
  [
    'Phi-3, longrope over a part of each head',
    () =>
      Phi3ForCausalLM.create(
        {
          ...{ ...SIZES, hiddenSize: 32, partialRotaryFactor: 0.5 },
          ropeScaling: {
            ...{ type: 'longrope', shortFactor: [1, 1.5], longFactor: [2, 8], originalMaxPositionEmbeddings: 20 },
          },
        },
        { rng: rng(9) },
      ),
  ],
  ['Phi-3', () => Phi3ForCausalLM.create({ ...SIZES, numKeyValueHeads: 2, slidingWindow: 3 }, { rng: rng(7) })],
  ['GPT-2', () => GPT2LMHeadModel.create(GPT2, { rng: rng(1) })],
  [
    'GPT-2 with a head of its own and other scales',
    () =>
      GPT2LMHeadModel.create(
        { ...GPT2, tieWordEmbeddings: false, scaleAttnWeights: false, scaleAttnByInverseLayerIdx: true, nInner: 20 },
        { rng: rng(2) },
      ),
  ],
];

const ROWS = [
  [1, 5, 9, 2, 30],
  [4, 8, 3],
];
const trained = () => tokenBatch(ROWS, { vocabSize: 37, labels: true });

describe.each(DECODERS)('%s', (name, make) => {
  it('comes back from a folder as it was', async () => {
    await expectSameFromFolder(make(), folder(name), (each) => each.forward(trained()));
  });

  it('generates the same with the cache, without, in a batch and alone', async () => {
    await expectSteadyGeneration(make(), [[3], [1, 5, 9, 2, 30, 7], [4, 8, 3]]);
  });

  it('has the gradients of its loss', async () => {
    await expectGradients(make(), (each) => each.forward(trained()));
  });

  it('does not see what comes later', async () => {
    const each = make().eval();
    const logits = (...tokens: number[]) => noGrad(() => each.forward({ inputIds: ids(tokens) }).logits.data());
    const [some, other] = [await logits(1, 2, 3, 4), await logits(1, 2, 3, 30)];
    expectClose(other.slice(0, 3 * 37), some.slice(0, 3 * 37), { rtol: 1e-5, atol: 1e-5 });
  });
});

describe('a GPT-2 classifier', () => {
  const model = () => GPT2ForSequenceClassification.create({ ...GPT2, numLabels: 3 }, { rng: rng(4) });

  it('reads the last real token, whichever side is padded', async () => {
    const each = model().eval();
    const read = async (side: 'left' | 'right') =>
      noGrad(() => each.forward(tokenBatch(ROWS, { vocabSize: 37, paddingSide: side })).logits).data();
    const alone = await each.forward({ inputIds: ids(ROWS[1]!) }).logits.data();
    for (const side of ['left', 'right'] as const) {
      expectClose((await read(side)).slice(3), alone, { rtol: 1e-4, atol: 1e-5 });
    }
  });

  it('comes back from a folder, and has the gradients of its loss', async () => {
    const run = (each: GPT2ForSequenceClassification) =>
      each.forward({ ...tokenBatch(ROWS, { vocabSize: 37 }), labels: ids([2, 0]).reshape([2]) });
    await expectSameFromFolder(model(), folder('classifier'), run);
    await expectGradients(model(), run);
  });
});

describe('GPT-2', () => {
  const make = (options: object) => () => GPT2LMHeadModel.create({ ...GPT2, ...options }, { rng: rng() });

  it('refuses options that do not go together or are not computed', () => {
    expect(make({ nHead: 5 })).toThrow('GPT2LMHeadModel.create: n_head must be a divisor of n_embd 24, got 5');
    expect(make({ addCrossAttention: true })).toThrow('add_cross_attention = true is not supported');
    expect(make({ activationFunction: 'sine' })).toThrow('activation_function must be one of');
    expect(make({ nLayer: 1e6 })).toThrow('n_layer must be at most 10000');
  });

  it('says how long texts may be', () => {
    const long = ids(Array.from({ length: 41 }, () => 1));
    expect(() => make({})().forward({ inputIds: long })).toThrow(
      'GPT2Model: texts have at most 40 tokens, got position 40; truncate them',
    );
  });
});

describe('GPT-NeoX and Phi-3', () => {
  it('refuse options that do not go together or are not computed', () => {
    const neox = (options: object) => () => GPTNeoXForCausalLM.create({ ...SIZES, ...options }, { rng: rng() });
    const phi = (options: object) => () => Phi3ForCausalLM.create({ ...SIZES, ...options }, { rng: rng() });
    expect(neox({})).toThrow("rotary_pct must be such that an even number of a head's 6 elements turn, not 1");
    expect(neox({ numAttentionHeads: 5 })).toThrow('num_attention_heads must be a divisor of hidden_size 24, got 5');
    expect(phi({ numKeyValueHeads: 3 })).toThrow('num_key_value_heads must be a divisor of num_attention_heads 4');
    expect(phi({ numAttentionHeads: 8 })).toThrow('num_attention_heads must be such that hidden_size 24');
    expect(phi({ partialRotaryFactor: 0.5 })).toThrow(
      "partial_rotary_factor must be such that an even number of a head's 6 elements turn, not 3, got 0.5",
    );
  });
});

describe('GPT-Neo', () => {
  const make = (options: object) => () =>
    GPTNeoForCausalLM.create(
      { ...{ vocabSize: 37, hiddenSize: 24, numLayers: 3, numHeads: 4 }, ...options },
      { rng: rng() },
    );

  it('takes the kinds of its layers in either form', () => {
    expect(make({})().config.attentionLayers).toEqual(['global', 'local', 'global']);
    expect(make({ attentionTypes: [[['local'], 3]] })().config.attentionLayers).toEqual(['local', 'local', 'local']);
  });

  it('refuses options that do not go together', () => {
    const expected = "must be 'global' or 'local' for each of the 3 layers";
    expect(make({ attentionLayers: ['global'] })).toThrow(`attention_layers ${expected}`);
    expect(make({ attentionTypes: [[['global'], 4]] })).toThrow(`attention_types ${expected}`);
    expect(make({ attentionTypes: 'all' })).toThrow(`attention_types ${expected}`);
    expect(make({ numHeads: 5 })).toThrow('num_heads must be a divisor of hidden_size 24, got 5');
  });
});
