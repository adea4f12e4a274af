import {
  BertForQuestionAnswering,
  BertForTokenClassification,
  DistilBertForMaskedLM,
  DistilBertForQuestionAnswering,
  DistilBertForSequenceClassification,
  DistilBertForTokenClassification,
  type ModelOutput,
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
      'BertModel: texts have at most 6 tokens, got position 6; truncate them',
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
