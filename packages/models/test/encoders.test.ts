import {
  BertForQuestionAnswering,
  BertForTokenClassification,
  DistilBertForMaskedLM,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  type ModelOutput,
  ModernBertForMaskedLM,
  ModernBertForQuestionAnswering,
  ModernBertForSequenceClassification,
  ModernBertForTokenClassification,
  type PretrainedModel,
  RobertaForMaskedLM,
  RobertaForQuestionAnswering,
  RobertaForSequenceClassification,
  RobertaForTokenClassification,
  tokenBatch,
} from '@burin/models';
import { noGrad, type Tensor } from '@burin/tensor';
import { expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { expectGradients, expectSameFromFolder } from './promises.js';
import { ids, rng, temporaryFolders } from './support.js';

const folder = temporaryFolders();

const SIZES = {
  ...{ vocabSize: 37, hiddenSize: 24, intermediateSize: 20, numHiddenLayers: 2, numAttentionHeads: 4 },
  ...{ maxPositionEmbeddings: 40, initializerRange: 0.3, numLabels: 3 },
};
const DISTIL = {
  ...{ vocabSize: 37, dim: 24, hiddenDim: 20, nLayers: 2, nHeads: 4 },
  ...{ maxPositionEmbeddings: 40, initializerRange: 0.3, numLabels: 3 },
};
const MODERN = {
  ...{ vocabSize: 37, hiddenSize: 24, intermediateSize: 20, numHiddenLayers: 4, numAttentionHeads: 4, numLabels: 3 },
  ...{ localAttention: 4, padTokenId: 0, initializerRange: 0.3 },
  ...{ embeddingDropout: 0.1, attentionDropout: 0.1, mlpDropout: 0.1, classifierDropout: 0.1 },
};
/** Sums over other lengths, of logits of about 10. */
const PADDED = { rtol: 1e-3, atol: 1e-4 };
const ROWS = [
  [6, 5, 9, 2, 30],
  [4, 8, 3],
];

type Encoder = PretrainedModel & { forward(input: object): ModelOutput };

const text = () => ({ labels: ids([2, 0]).reshape([2]) });
const tokens = () => ({ labels: ids([1, 0, 2, -100, 1], [0, 2, 1, -100, -100]) });
const span = () => ({ startPositions: ids([1, 0]).reshape([2]), endPositions: ids([3, 1]).reshape([2]) });

const ENCODERS: [name: string, make: () => Encoder, targets: () => Record<string, Tensor>][] = [
  ['BertForTokenClassification', () => BertForTokenClassification.create(SIZES, { rng: rng(1) }), tokens],
  ['BertForQuestionAnswering', () => BertForQuestionAnswering.create(SIZES, { rng: rng(2) }), span],
  ['RobertaForMaskedLM', () => RobertaForMaskedLM.create(SIZES, { rng: rng(3) }), tokens],
  [
    'RobertaForMaskedLM, untied',
    () => RobertaForMaskedLM.create({ ...SIZES, tieWordEmbeddings: false }, { rng: rng(3) }),
    tokens,
  ],
  ['RobertaForSequenceClassification', () => RobertaForSequenceClassification.create(SIZES, { rng: rng(4) }), text],
  ['RobertaForTokenClassification', () => RobertaForTokenClassification.create(SIZES, { rng: rng(5) }), tokens],
  ['RobertaForQuestionAnswering', () => RobertaForQuestionAnswering.create(SIZES, { rng: rng(6) }), span],
  ['DistilBertForMaskedLM', () => DistilBertForMaskedLM.create(DISTIL, { rng: rng(7) }), tokens],
  [
    'DistilBertForSequenceClassification',
    () => DistilBertForSequenceClassification.create(DISTIL, { rng: rng(12) }),
    text,
  ],
  ['DistilBertForTokenClassification', () => DistilBertForTokenClassification.create(DISTIL, { rng: rng(9) }), tokens],
  ['DistilBertForQuestionAnswering', () => DistilBertForQuestionAnswering.create(DISTIL, { rng: rng(10) }), span],
  ['ModernBertForMaskedLM', () => ModernBertForMaskedLM.create(MODERN, { rng: rng(11) }), tokens],
  [
    'ModernBertForMaskedLM with every bias, untied, of other layers',
    () =>
      ModernBertForMaskedLM.create(
        {
          ...{ ...MODERN, tieWordEmbeddings: false, attentionBias: true, mlpBias: true, normBias: true },
          ...{
            classifierBias: true,
            layerTypes: ['sliding_attention', 'sliding_attention', 'full_attention', 'full_attention'],
          },
        },
        { rng: rng(12) },
      ),
    tokens,
  ],
  [
    'ModernBertForSequenceClassification',
    () => ModernBertForSequenceClassification.create(MODERN, { rng: rng(13) }),
    text,
  ],
  [
    'ModernBertForSequenceClassification of the mean',
    () => ModernBertForSequenceClassification.create({ ...MODERN, classifierPooling: 'mean' }, { rng: rng(14) }),
    text,
  ],
  ['ModernBertForTokenClassification', () => ModernBertForTokenClassification.create(MODERN, { rng: rng(15) }), tokens],
  ['ModernBertForQuestionAnswering', () => ModernBertForQuestionAnswering.create(MODERN, { rng: rng(16) }), span],
];

describe.each(ENCODERS)('%s', (name, make, targets) => {
  const batch = (paddingSide: 'left' | 'right' = 'right') => tokenBatch(ROWS, { vocabSize: 37, paddingSide });
  const run = (model: Encoder) => model.forward({ ...batch(), ...targets() });

  it('comes back from a folder as it was', async () => {
    await expectSameFromFolder(make(), folder(name), run);
  });

  it('has the gradients of its loss', async () => {
    // rows of one length: the padding id gets no gradient, though a span's loss sees its logits
    const rows = tokenBatch([ROWS[0]!, [...ROWS[1]!, 7, 11]], { vocabSize: 37 });
    await expectGradients(make(), (model) => model.forward({ ...rows, ...targets() }));
  });

  it('sees no padding, whichever side it is on', async () => {
    const model = make().eval();
    const logitsOf = async (input: object) => Array.from(await noGrad(() => model.forward(input).logits).data());
    const alone = await logitsOf({ inputIds: ids(ROWS[1]!) });
    const [right, left] = [await logitsOf(batch('right')), await logitsOf(batch('left'))];
    expectClose(right.slice(right.length / 2).slice(0, alone.length), alone, PADDED);
    if (targets !== text) expectClose(left.slice(-alone.length), alone, PADDED); // a text's class is read at its first place
  });

  it('drops in training alone', async () => {
    const model = make();
    const logits = () => noGrad(() => model.forward(batch()).logits).data();
    expect(await logits()).not.toEqual(await logits());
    model.eval();
    expect(await logits()).toEqual(await logits());
  });
});

describe('RoBERTa', () => {
  it('counts positions by the mask where none are given', async () => {
    const model = RobertaForMaskedLM.create(SIZES, { rng: rng(3) }).eval();
    const { inputIds, attentionMask } = tokenBatch(ROWS, { vocabSize: 37, paddingSide: 'left' });
    const both = await noGrad(() => model.forward({ inputIds, attentionMask }).logits).data();
    const alone = await noGrad(() => model.forward({ inputIds: ids(ROWS[1]!) }).logits).data();
    expectClose(both.slice(-alone.length), alone, PADDED);
  });

  it('has room for fewer tokens than its table has rows', () => {
    const model = RobertaForMaskedLM.create({ ...SIZES, maxPositionEmbeddings: 6 }, { rng: rng(3) });
    expect(model.forward({ inputIds: ids([1, 2, 3, 4]) }).logits.shape).toEqual([1, 4, 37]);
    expect(() => model.forward({ inputIds: ids([1, 2, 3, 4, 5]) })).toThrow(
      'BertModel: texts have at most 4 tokens, got position 4; truncate them',
    );
  });
});

describe('DistilBERT', () => {
  it('refuses options that do not go together', () => {
    const make = (options: object) => () => DistilBertForMaskedLM.create({ ...DISTIL, ...options }, { rng: rng() });
    expect(make({ nHeads: 5 })).toThrow('DistilBertForMaskedLM.create: n_heads must be a divisor of dim 24, got 5');
    expect(make({ activation: 'sine' })).toThrow('activation must be one of');
  });
});

describe('ModernBERT', () => {
  const make = (options: object) => () => ModernBertForMaskedLM.create({ ...MODERN, ...options }, { rng: rng() });

  it('has no padding id where the one of transformers is not in its vocabulary', () => {
    expect(make({ padTokenId: undefined })().rawConfig.pad_token_id).toBeNull();
    expect(make({ padTokenId: 3 })().rawConfig.pad_token_id).toBe(3);
  });

  it('looks at near tokens in local layers', async () => {
    const [near, far] = [1, 4].map((localAttention) =>
      make({ localAttention, layerTypes: Array(4).fill('sliding_attention') })().eval(),
    ) as [ModernBertForMaskedLM, ModernBertForMaskedLM];
    const first = async (model: ModernBertForMaskedLM, last: number) =>
      (await noGrad(() => model.forward({ inputIds: ids([6, 5, last]) }).logits).data()).slice(0, 37);
    expect(await first(near, 9)).toEqual(await first(near, 12)); // half of 1 on each side is none
    expect(await first(far, 9)).not.toEqual(await first(far, 12));
  });

  it('reads the kinds of its layers and how they turn, by older keys and by those of transformers 5', () => {
    const [full, near] = ['full_attention', 'sliding_attention'] as const;
    const { layerTypes, rope } = make({})().config;
    expect(layerTypes).toEqual([full, near, near, full]);
    expect([rope[full].ropeTheta, rope[near].ropeTheta]).toEqual([160000, 10000]);
    const thetas = (options: object) => Object.values(make(options)().config.rope).map(({ ropeTheta }) => ropeTheta);
    expect(thetas({ globalRopeTheta: 7, localRopeTheta: 5 })).toEqual([7, 5]);
    expect(thetas({ globalRopeTheta: 7, localRopeTheta: null })).toEqual([7, 7]);
    const parameters = {
      [full]: { rope_type: 'linear', factor: 2, rope_theta: 3 },
      [near]: { rope_theta: 2, rope_type: 'default' },
    };
    expect(thetas({ rope_parameters: parameters })).toEqual([3, 2]);
    expect(make({ rope_parameters: parameters })().config.rope[full].ropeScaling).toEqual({
      type: 'linear',
      factor: 2,
    });
    expect(make({ globalAttnEveryNLayers: 2 })().config.layerTypes).toEqual([full, near, full, near]);
  });

  it('refuses options that do not go together', () => {
    expect(make({ numAttentionHeads: 8 })).toThrow('num_attention_heads must be such that hidden_size 24');
    expect(make({ layerTypes: ['full_attention'] })).toThrow(
      "layer_types must be 'full_attention' or 'sliding_attention' for each of the 4 layers, got an array of 1",
    );
    expect(make({ classifierPooling: 'max' })).toThrow('classifier_pooling must be one of cls, mean, got "max"');
  });
});
