import { tensor } from '@burin/tensor';
import { expectClose, readFixture } from '@burin/testing';
import { accuracy, binaryScores, classificationScores, perplexity, predictedClasses } from '@burin/trainer';
import { describe, expect, it } from 'vitest';

const FLOAT64 = { rtol: 1e-9, atol: 1e-12 }; // the manifest's
const FLOAT32_NLL = { rtol: 1e-5, atol: 6e-4 }; // the manifest's: torch computes in float32

describe('classification metrics', () => {
  const fixture = readFixture('metrics', 'classification');
  const expected = fixture.manifest.expected_values as Record<string, number & number[]>;
  const close = (actual: ArrayLike<number>, name: string) =>
    expectClose(actual, [expected[name]!].flat(), FLOAT64, name);

  it('has the binary scores of the fixture', () => {
    const scores = binaryScores(fixture.ints('binary.predictions'), fixture.ints('binary.labels'));
    for (const name of ['accuracy', 'precision', 'recall', 'f1'] as const) close([scores[name]], `binary.${name}`);
  });

  it('has the scores over several classes of the fixture', () => {
    const scores = classificationScores(fixture.ints('multi.predictions'), fixture.ints('multi.labels'), {
      numClasses: 4,
    });
    close([scores.accuracy], 'multi.accuracy');
    close([scores.f1Macro], 'multi.f1_macro');
    close([scores.f1Micro], 'multi.f1_micro');
    close([scores.f1Weighted], 'multi.f1_weighted');
    close(
      scores.perClass.map(({ f1 }) => f1),
      'multi.f1_per_class',
    );
    close(
      scores.perClass.map(({ precision }) => precision),
      'multi.precision_per_class',
    );
    close(
      scores.perClass.map(({ recall }) => recall),
      'multi.recall_per_class',
    );
  });

  it('has the accuracy from logits of the fixture', () => {
    const predictions = predictedClasses(fixture.floats('multi.logits'), 4);
    close([accuracy(predictions, fixture.ints('multi.labels'))], 'multi.accuracy_from_logits');
  });

  it('counts a class that never comes up with 0', () => {
    expect(classificationScores([0, 0], [0, 0], { numClasses: 2 })).toMatchObject({
      accuracy: 1,
      f1Macro: 0.5,
      f1Weighted: 1,
    });
  });

  it('refuses what it cannot score', () => {
    expect(() => accuracy([1], [])).toThrow(
      'accuracy: each prediction must have its label, and there must be one at least: got 1 predictions and 0 labels',
    );
    expect(() => binaryScores([], [])).toThrow('got 0 predictions and 0 labels');
    expect(() => classificationScores([0, 2], [0, 1], { numClasses: 2 })).toThrow(
      'classes must be whole numbers from 0 to 1, got 2 at 1',
    );
    expect(() => predictedClasses([1, 2, 3], 2)).toThrow('predictedClasses: expected rows of 2 logits, got 3 numbers');
  });
});

describe('perplexity', () => {
  const fixture = readFixture('metrics', 'perplexity');
  const expected = fixture.manifest.expected_values as Record<string, number & number[]>;
  const logits = tensor(fixture.floats('logits'), fixture.shape('logits'));
  const labels = tensor(fixture.ints('labels'), fixture.shape('labels'));

  it('is that of the fixture', async () => {
    const scores = await perplexity(logits, labels);
    expectClose([scores.meanNll], [expected.mean_nll!], FLOAT32_NLL);
    expectClose([scores.perplexity], [expected.perplexity!], FLOAT32_NLL);
    expectClose(scores.perSequence, expected.perplexity_per_sequence!, FLOAT32_NLL);
    expect(scores.tokens).toBe(expected.n_tokens);
  });

  it('is the size of the vocabulary for a uniform guess', async () => {
    const uniform = tensor(new Float32Array(2 * 3 * 5), [2, 3, 5]);
    const targets = tensor(Int32Array.of(0, 1, 2, 3, 4, 0), [2, 3]);
    const { perplexity: value, tokens } = await perplexity(uniform, targets, { shift: false });
    expectClose([value], [5], { rtol: 1e-6, atol: 0 }); // log 5 in float32
    expect(tokens).toBe(6);
  });

  it('refuses what it cannot score', async () => {
    await expect(perplexity(logits, tensor(Int32Array.of(1), [1, 1]))).rejects.toThrow(
      'perplexity: logits must be [B, T, V] and labels [B, T], got [3,7,15] and [1,1]',
    );
    const ignored = tensor(new Int32Array(21).fill(-100), [3, 7]);
    await expect(perplexity(logits, ignored)).rejects.toThrow(
      'a label must count: expected one that is not -100, got none',
    );
  });
});
