import {
  type CausalModel,
  DeepseekV2ForCausalLM,
  type DeepseekV2Options,
  GPT2ForSequenceClassification,
  GPT2LMHeadModel,
  GPTNeoForCausalLM,
  GPTNeoXForCausalLM,
  Phi3ForCausalLM,
  type PretrainedModel,
  tokenBatch,
} from '@burin/models';
import { quantizeModel } from '@burin/quant-nf4';
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

/** Few experts, so that some token of the tests chooses each. */
const DEEPSEEK: DeepseekV2Options = {
  ...{ ...SIZES, numHiddenLayers: 3, qLoraRank: null, kvLoraRank: 9, qkNopeHeadDim: 5, qkRopeHeadDim: 4, vHeadDim: 7 },
  ...{ moeIntermediateSize: 10, nRoutedExperts: 3, numExpertsPerTok: 2, nSharedExperts: 1, firstKDenseReplace: 1 },
};
const deepseek = (options: Partial<DeepseekV2Options> = {}, seed = 21) =>
  DeepseekV2ForCausalLM.create({ ...DEEPSEEK, ...options }, { rng: rng(seed) });

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
  ['DeepSeek-V2-Lite', () => deepseek()],
  [
    'DeepSeek-V2, with a latent of queries, groups of experts, and stretched',
    () =>
      deepseek({
        ...{ qLoraRank: 8, attentionBias: true, nRoutedExperts: 4, topkMethod: 'group_limited_greedy' },
        ...{ nGroup: 2, topkGroup: 1, routedScalingFactor: 2.5, moeLayerFreq: 2, tieWordEmbeddings: true },
        ropeScaling: { type: 'yarn', factor: 4, originalMaxPositionEmbeddings: 16 },
      }),
  ],
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

describe('Phi-3', () => {
  it('has no padding id where the one of transformers is not in its vocabulary', () => {
    const raw = (options: object) =>
      Phi3ForCausalLM.create({ ...SIZES, hiddenSize: 32, ...options }, { rng: rng() }).rawConfig;
    expect(raw({}).pad_token_id).toBeNull();
    expect(raw({ padTokenId: 3 }).pad_token_id).toBe(3);
    expect(raw({ vocabSize: 32001, hiddenSize: 8 })).not.toHaveProperty('pad_token_id');
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

  it('writes them so that transformers counts as many layers', () => {
    const types = (options: object) => make(options)().rawConfig.attention_types;
    const byTurns = ['global', 'local'];
    expect(types({})).toEqual([
      [byTurns, 1],
      [['global'], 1],
    ]);
    expect(make({ numLayers: 4 })().config.attentionLayers).toEqual([...byTurns, ...byTurns]);
    expect(types({ attentionLayers: ['local', 'local', 'global'] })).toEqual([[['local', 'local', 'global'], 1]]);
  });

  it('refuses options that do not go together', () => {
    const expected = "must be 'global' or 'local' for each of the 3 layers";
    expect(make({ attentionLayers: ['global'] })).toThrow(`attention_layers ${expected}`);
    expect(make({ attentionTypes: [[['global'], 4]] })).toThrow(`attention_types ${expected}`);
    expect(make({ attentionTypes: 'all' })).toThrow(`attention_types ${expected}`);
    expect(make({ numHeads: 5 })).toThrow('num_heads must be a divisor of hidden_size 24, got 5');
  });
});

describe('DeepSeek-V2', () => {
  it('has experts where config.json says', () => {
    const names = (options: Partial<DeepseekV2Options>) =>
      [...deepseek(options).namedParameters()].map(([name]) => name).filter((name) => name.endsWith('gate.weight'));
    expect(names({})).toEqual(['model.layers.1.mlp.gate.weight', 'model.layers.2.mlp.gate.weight']);
    expect(names({ moeLayerFreq: 2 })).toEqual(['model.layers.2.mlp.gate.weight']);
    expect(names({ nRoutedExperts: null as never })).toEqual([]);
    expect(deepseek({ nSharedExperts: 0 }).config.nSharedExperts).toBe(0);
  });

  it('generates the same with the cache and without where its layers are in 4 bits', async () => {
    const model = deepseek();
    const { layers } = await quantizeModel(model, { blockSize: 32 });
    const names = layers.map(({ name }) => name);
    expect(names).toContain('model.layers.0.self_attn.kv_b_proj');
    expect(names.filter((name) => name.endsWith('mlp.gate'))).toEqual([]); // no Linear: routing stays exact
    await expectSteadyGeneration(model, [[3], [1, 5, 9, 2, 30, 7]]);
  });

  it('scales scores as DeepSeek does where yarn stretches the text', () => {
    const scaled = (rope: object) => deepseek({ rope_scaling: rope } as never).config;
    const yarn = {
      type: 'yarn',
      factor: 40,
      original_max_position_embeddings: 16,
      mscale: 0.7,
      mscale_all_dim: 0.7,
    };
    const magnitude = 0.1 * 0.7 * Math.log(40) + 1;
    expect(scaled(yarn).attentionScale).toBeCloseTo(magnitude ** 2 / 3, 12); // 5 + 4 elements a head
    expect(scaled(yarn).ropeScaling).toMatchObject({ attentionFactor: 1 });
    expect(scaled({ ...yarn, mscale_all_dim: 0 }).attentionScale).toBeCloseTo(1 / 3, 12);
  });

  it('weighs experts as DeepSeek does: normalized, or scaled', () => {
    expect(deepseek({ routedScalingFactor: 16 }).config.routing).toMatchObject({ normalize: false, scale: 16 });
    expect(deepseek({ routedScalingFactor: 16, normTopkProb: true }).config.routing).toMatchObject({
      ...{ normalize: true, scale: 1 },
    });
  });

  it.each<[object, string]>([
    [{ scoringFunc: 'sigmoid' }, 'scoring_func = "sigmoid" is not supported, and without it the numbers would differ'],
    [{ topkMethod: 'noaux_tc' }, 'topk_method must be one of greedy, group_limited_greedy, got "noaux_tc"'],
    [{ numKeyValueHeads: 2 }, 'num_key_value_heads = 2 is not supported'],
    [{ qkRopeHeadDim: 3 }, 'qk_rope_head_dim must be even, as elements turn in pairs, got 3'],
    [{ numExpertsPerTok: 4 }, 'num_experts_per_tok must be at most the 3 experts to choose from, got 4'],
    [
      { topkMethod: 'group_limited_greedy', nGroup: 2, topkGroup: 1 },
      'n_group must be a divisor of n_routed_experts 3',
    ],
    [{ topkMethod: 'group_limited_greedy', nGroup: 3, topkGroup: 4 }, 'topk_group must be at most n_group 3, got 4'],
    [{ numExpertsPerTok: undefined }, 'num_experts_per_tok must be a whole number'],
  ])('refuses %j', (options, message) => {
    expect(() => deepseek(options as never)).toThrow(`DeepseekV2ForCausalLM.create: ${message}`);
  });
});
