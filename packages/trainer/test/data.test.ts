import {
  causalLmCollator,
  classificationCollator,
  describeExample,
  describePair,
  inspectDataset,
  packedCollator,
  seq2seqCollator,
  Trainer,
} from '@burin/trainer';
import { describe, expect, it } from 'vitest';
import { countTokens } from '../src/data/host-batch.js';
import { epochOrder, groupByLength } from '../src/data/order.js';
import { TinyLanguageModel } from './tiny-model.js';

const END = 2; // also the padding id: the case that goes wrong where masks come from ids

describe('promise 3: masks come from positions, never from token ids', () => {
  const texts = [{ inputIds: [5, 6, 7, END] }, { inputIds: [8, END] }];

  it('trains the end token of each text and no padding, although they have one id', () => {
    const { inputs } = causalLmCollator({ padTokenId: END })(texts, [0, 1]);
    expect([...inputs.inputIds.data]).toEqual([5, 6, 7, END, 8, END, END, END]);
    expect([...inputs.attentionMask.data]).toEqual([1, 1, 1, 1, 1, 1, 0, 0]);
    expect([...inputs.labels.data]).toEqual([-100, 6, 7, END, -100, END, -100, -100]);
    expect(inputs.inputIds.shape).toEqual([2, 4]);
  });

  it("keeps an example's own labels and mask", () => {
    const examples = [
      { inputIds: [5, 6, 7], labels: [-100, -100, 7] },
      { inputIds: [5, 6, 7], attentionMask: [1, 1, 0] },
    ];
    const { inputs } = causalLmCollator()(examples, [0, 1]);
    expect([...inputs.labels.data]).toEqual([-100, -100, 7, -100, 6, -100]);
    expect([...inputs.attentionMask.data]).toEqual([1, 1, 1, 1, 1, 0]);
  });

  it('counts the trained tokens of each example, and reports those that train nothing', () => {
    const examples = [...texts, { inputIds: [5, 6, 7], labels: [-100, -100, -100] }];
    const report = inspectDataset(examples, causalLmCollator());
    expect([...report.trainedPerExample]).toEqual([3, 1, 0]);
    expect([...report.lengths]).toEqual([4, 2, 3]);
    expect(report).toMatchObject({ examples: 3, trainedTokens: 4, untrained: [2] });
  });

  it('refuses data in which no token is trained', () => {
    const masked = [{ inputIds: [5, 6], labels: [-100, -100] }];
    expect(() => inspectDataset(masked, causalLmCollator())).toThrow(
      'a label at least must count: expected one that is not -100, got none in 1 examples; look at one with describeExample',
    );
    const pairs = () => ({ inputs: { query: { data: new Int32Array(3), shape: [1, 3] }, answers: 2 } });
    expect(() => inspectDataset(['pair'], pairs)).toThrow(
      'inspectDataset: a batch must have labels, as their number is what its loss weighs: expected an array labels, ' +
        'got query, answers; where the loss reads none, let the collator give one for each of its terms',
    );
    expect(() => inspectDataset([], causalLmCollator())).toThrow('the data set must have an example at least, got 0');
  });

  it('shows one example with its mask', () => {
    const example = { inputIds: [1, 5, 6, END], labels: [-100, -100, 6, END] };
    expect(describeExample(example)).toBe('4 tokens, 2 trained\nmasked   1 5\ntrained  6 2');
    const tokenizer = { decode: (ids: Iterable<number>) => [...ids].map((id) => 'abcdefgh'[id]).join('') };
    expect(describeExample(example, tokenizer)).toBe('4 tokens, 2 trained\nmasked   "bf"\ntrained  "gc"');
    expect(describeExample({ inputIds: [5, 6], labels: 1 })).toBe('2 tokens, class 1\ninput    5 6');
    expect(() => describeExample({ inputIds: [5, 6], labels: [7] })).toThrow(
      'describeExample: labels must be one for each token: expected 2, got 1; describePair shows a source with its target',
    );
  });

  it('shows a source with its target and the mask of it', () => {
    const pair = { inputIds: [5, 6, 7], labels: [-100, 1, END] };
    expect(describePair(pair)).toBe(
      '3 source tokens, 3 target tokens, 2 trained\nsource   5 6 7\nmasked   1 token\ntrained  1 2',
    );
    const tokenizer = { decode: (ids: Iterable<number>) => [...ids].map((id) => 'abcdefgh'[id]).join('') };
    expect(describePair(pair, tokenizer)).toContain('source   "fgh"\nmasked   1 token\ntrained  "bc"');
    expect(() => describePair({ inputIds: [5], labels: 1 })).toThrow(
      "describePair: labels must be the target's tokens: expected a list, got 1",
    );
  });
});

describe('collators', () => {
  it('cuts long examples at their end', () => {
    const { inputs } = causalLmCollator({ maxLength: 2 })([{ inputIds: [5, 6, 7] }], [0]);
    expect([...inputs.labels.data]).toEqual([-100, 6]);
    expect(() => causalLmCollator({ maxLength: 0 })).toThrow(
      'causalLmCollator: maxLength must be a whole number of 1 or more, got 0',
    );
  });

  it('makes batches of classes', () => {
    const { inputs, labelShift } = classificationCollator()(
      [
        { inputIds: [5], labels: 1 },
        { inputIds: [6, 7], labels: 0 },
      ],
      [0, 1],
    );
    expect([...inputs.inputIds.data]).toEqual([5, 0, 6, 7]);
    expect([...inputs.labels.data]).toEqual([1, 0]);
    expect(inputs.labels.shape).toEqual([2]);
    expect(labelShift ?? 0).toBe(0);
  });

  it.each([
    [{ inputIds: [] }, 'example 4: inputIds must hold a token at least, got none'],
    [
      { text: 'Once' },
      'example 4: inputIds must hold a token at least, got undefined; encode texts: { inputIds: tokenizer.encode(text) }, or pass a collator for examples of another kind',
    ],
    [{ inputIds: [3, 10] }, 'example 4: inputIds must be whole numbers from 0 to 9, got 10 at 1'],
    [{ inputIds: [3, -1] }, 'example 4: inputIds must be whole numbers from 0 to 9, got -1 at 1'],
    [{ inputIds: [3.5] }, 'got 3.5 at 0'],
    [
      { inputIds: [3], attentionMask: [1, 1] },
      'example 4: attentionMask must be as long as inputIds: expected 1, got 2',
    ],
    [
      { inputIds: [3, 4], labels: [3] },
      'example 4: labels must be as many as inputIds: expected 2, got 1; for a source and a target use seq2seqCollator',
    ],
    [{ inputIds: [3, 4], labels: 1 }, 'got the number 1; for one class an example use classificationCollator'],
    [
      { inputIds: [3, 4], labels: [-100, 10] },
      'example 4: labels must be whole numbers from 0 to 9, or -100 for a token that is not trained, got 10 at 1',
    ],
  ])('refuses the text %o', (example, message) => {
    expect(() => causalLmCollator({ vocabSize: 10 })([example as never], [4])).toThrow(message);
  });

  it.each([
    [{ inputIds: [3], labels: 2 }, 'example 7: labels must be a class: expected whole numbers from 0 to 1, got 2'],
    [{ inputIds: [3], labels: -1 }, 'expected whole numbers from 0 to 1, got -1'],
    [{ inputIds: [3] }, 'expected whole numbers from 0 to 1, got undefined'],
    [{ inputIds: [3], labels: [1] }, 'got a list of 1; for a label a token use causalLmCollator'],
  ])('refuses the class of %o', (example, message) => {
    expect(() => classificationCollator({ numLabels: 2 })([example as never], [7])).toThrow(message);
  });
});

describe('seq2seqCollator', () => {
  const pairs = [
    { inputIds: [5, 6, END], labels: [7, END] },
    { inputIds: [5, END], labels: [8, 9, 7, END] },
  ];

  it('pads sources and targets apart, and keeps the end token that has the id of padding', () => {
    const { inputs, labelShift } = seq2seqCollator({ padTokenId: END })(pairs, [0, 1]);
    expect([...inputs.inputIds.data]).toEqual([5, 6, END, 5, END, END]);
    expect([...inputs.attentionMask.data]).toEqual([1, 1, 1, 1, 1, 0]);
    expect([...inputs.labels.data]).toEqual([7, END, -100, -100, 8, 9, 7, END]);
    expect(inputs.labels.shape).toEqual([2, 4]);
    expect(labelShift ?? 0).toBe(0);
  });

  it('counts the length of an example as that of its longer side', () => {
    const report = inspectDataset(pairs, seq2seqCollator());
    expect([...report.lengths]).toEqual([3, 4]);
    expect([...report.trainedPerExample]).toEqual([2, 4]);
  });

  it('cuts each side at its own length', () => {
    const { inputs } = seq2seqCollator({ maxLength: 1, maxTargetLength: 3 })(pairs, [0, 1]);
    expect([...inputs.inputIds.data]).toEqual([5, 5]);
    expect([...inputs.labels.data]).toEqual([7, END, -100, 8, 9, 7]);
    expect(() => seq2seqCollator({ maxTargetLength: 0 })).toThrow(
      'seq2seqCollator: maxTargetLength must be a whole number of 1 or more, got 0',
    );
  });

  it.each([
    [{ inputIds: [] }, 'seq2seqCollator: example 4: inputIds must hold a token at least, got none'],
    [{ inputIds: [3] }, "example 4: labels must be the target's ids, one at least, got undefined"],
    [{ inputIds: [3], labels: [] }, "labels must be the target's ids, one at least, got none"],
    [{ inputIds: [3], labels: 1 }, "labels must be the target's ids, one at least, got 1"],
    [{ inputIds: [10], labels: [1] }, 'example 4: inputIds must be whole numbers from 0 to 9, got 10 at 0'],
    [{ inputIds: [3], labels: [12] }, 'example 4: labels must be whole numbers from 0 to 11, or -100'],
  ])('refuses the pair %o', (example, message) => {
    const collate = seq2seqCollator({ vocabSize: 10, targetVocabSize: 12 });
    expect(() => collate([example as never], [4])).toThrow(message);
  });
});

it.each([
  [() => causalLmCollator({ max_length: 8 } as object), 'causalLmCollator: there is no option max_length; expected '],
  [() => classificationCollator({ classes: 2 } as object), 'classificationCollator: there is no option classes; '],
  [() => seq2seqCollator({ maxSourceLength: 8 } as object), 'seq2seqCollator: there is no option maxSourceLength; '],
  [() => packedCollator({ maxLength: 8, max: 1 } as never), 'packedCollator: there is no option max; expected '],
  [() => packedCollator({} as never), 'packedCollator: maxLength, the tokens of a row, must be given'],
])('a collator refuses an option that it has not, and to do without one that it needs', (make, message) => {
  expect(make).toThrow(RangeError);
  expect(make).toThrow(message);
});

it('counts tokens without padding', () => {
  const texts = [{ inputIds: [5, 6, 7] }, { inputIds: [8] }];
  expect(countTokens(causalLmCollator()(texts, [0, 1]))).toBe(4);
  expect(countTokens(packedCollator({ maxLength: 3 })(texts, [0, 1]))).toBe(4);
  expect(countTokens({ inputs: { inputIds: { data: new Int32Array(6), shape: [2, 3] } } })).toBe(6);
});

describe('packedCollator', () => {
  it('puts several examples in a row, each a segment with positions of its own', () => {
    const texts = [{ inputIds: [5, 6, 7] }, { inputIds: [8, 9] }, { inputIds: [3, 4] }];
    const { inputs, labelShift } = packedCollator({ maxLength: 5 })(texts, [0, 1, 2]);
    expect(inputs.inputIds.shape).toEqual([2, 5]);
    expect([...inputs.inputIds.data]).toEqual([5, 6, 7, 8, 9, 3, 4, 0, 0, 0]);
    expect([...inputs.labels.data]).toEqual([-100, 6, 7, -100, 9, -100, 4, -100, -100, -100]);
    expect([...inputs.segments.data]).toEqual([0, 0, 0, 1, 1, 0, 0, -1, -1, -1]);
    expect([...inputs.positions.ids.data]).toEqual([0, 1, 2, 0, 1, 0, 1, 0, 0, 0]);
    expect(inputs.positions.max).toBe(2);
    expect([...inputs.attentionMask.data]).toEqual([1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
    expect(labelShift).toBe(1);
  });

  it('cuts an example that is longer than a row', () => {
    const { inputs } = packedCollator({ maxLength: 2 })([{ inputIds: [5, 6, 7] }], [0]);
    expect([...inputs.inputIds.data]).toEqual([5, 6]);
  });
});

describe('ids that the model does not have', () => {
  const model = Object.assign(new TinyLanguageModel(), { config: { vocabSize: 11 } });
  const quiet = { model, reporter: false } as const;

  it('stop a run with the example that holds them, whatever makes the batch', async () => {
    const trainDataset = [{ inputIds: [1, 2] }, { inputIds: [3, 11] }];
    const expected =
      /^Trainer: example 1: inputIds must be ids of the model's vocabulary: expected 0 to 10, got 11; encode/;
    for (const collator of [undefined, causalLmCollator()]) {
      const trainer = new Trainer({ ...quiet, trainDataset, ...(collator && { collator }) });
      await expect(trainer.train()).rejects.toThrow(expected);
      await expect(trainer.evaluate(trainDataset)).rejects.toThrow(expected);
    }
    const packed = new Trainer({ ...quiet, trainDataset, collator: packedCollator({ maxLength: 8 }) });
    expect(() => packed.collator(trainDataset, [5, 6])).toThrow('Trainer: examples 5, 6: inputIds must be ids');
  });

  it('are refused among labels that are tokens, and not among classes', () => {
    const example = { inputIds: [1, 2], labels: [-100, 12] };
    expect(() => new Trainer({ ...quiet, trainDataset: [example] }).collator([example], [0])).toThrow(
      "Trainer: example 0: labels must be ids of the model's vocabulary: expected 0 to 10, got 12",
    );
    const classes = new Trainer({ ...quiet, trainDataset: [{ inputIds: [1], labels: 12 }] });
    expect(classes.collator([{ inputIds: [1], labels: 12 }], [0]).inputs.labels).toMatchObject({ shape: [1] });
  });
});

describe('the order of data', () => {
  it('is a permutation that depends on seed and epoch alone', async () => {
    const [first, again, next, other] = await Promise.all([
      epochOrder(101, 7, 0),
      epochOrder(101, 7, 0),
      epochOrder(101, 7, 1),
      epochOrder(101, 8, 0),
    ]);
    expect(first).toEqual(again);
    expect(first).not.toEqual(next);
    expect(first).not.toEqual(other);
    for (const order of [first, next])
      expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 101 }, (_, i) => i));
  });

  it('groups examples of like length', () => {
    const grouped = groupByLength(Int32Array.of(3, 0, 2, 1), [5, 9, 7, 5], 2);
    expect([...grouped]).toEqual([1, 2, 0, 3]);
  });
});
