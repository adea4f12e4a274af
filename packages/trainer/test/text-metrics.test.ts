import { expectClose, readFixture } from '@burin/testing';
import { corpusBleu, exactMatch, normalizeAnswer, tokenize13a } from '@burin/trainer';
import { describe, expect, it } from 'vitest';

const FLOAT64 = { rtol: 1e-9, atol: 1e-12 }; // sums of a few numbers in float64

describe('corpusBleu', () => {
  const { config, expected_values: expected } = readFixture('metrics', 'corpus_bleu').manifest as unknown as {
    config: { cases: { name: string; hypotheses: string[]; references: string[][] }[] };
    expected_values: Record<string, Record<string, number & number[]>>;
  };

  it.each(config.cases)('has the figures of the fixture $name', ({ name, hypotheses, references }) => {
    const perText = hypotheses.map((_, i) => references.map((stream) => stream[i]!));
    const wanted = expected[name]!;
    const scores = corpusBleu(hypotheses, perText);
    expectClose([scores.score, scores.brevityPenalty], [wanted.score!, wanted.brevity_penalty!], FLOAT64);
    expectClose(scores.precisions, wanted.precisions!, FLOAT64);
    expect(scores).toMatchObject({
      matches: wanted.matches,
      totals: wanted.totals,
      hypothesisLength: wanted.hypothesis_length,
      referenceLength: wanted.reference_length,
    });
    const plain = corpusBleu(hypotheses, perText, { smoothing: 'none' });
    expectClose([plain.score], [wanted.score_no_smoothing!], FLOAT64);
    expect(hypotheses.map(tokenize13a)).toEqual(wanted.tokenized_hypotheses);
  });

  it('counts over the whole corpus: the order of texts does not matter', () => {
    const pairs = [
      ['a b c d e', 'a b c d f'],
      ['g h i', 'g h i j'],
      ['k l m n o p', 'k x m n o p'],
    ] as const;
    const score = (order: readonly number[]) =>
      corpusBleu(
        order.map((i) => pairs[i]![0]),
        order.map((i) => pairs[i]![1]),
      ).score;
    expectClose([score([2, 0, 1])], [score([0, 1, 2])], FLOAT64);
  });

  it('refuses another smoothing, which would change the score', () => {
    expect(() => corpusBleu(['a'], ['a'], { smoothing: 'floor' as never })).toThrow(
      new RangeError('corpusBleu: smoothing must be exp or none, got floor'),
    );
  });

  it('counts an n-gram as often as one reference has it, not as all have it together', () => {
    expect(corpusBleu(['a a a'], [['a', 'a a']]).matches).toEqual([2, 1, 0, 0]);
  });

  it('takes the reference that is nearest in length, the shorter of two that are as near', () => {
    expect(corpusBleu(['a b c'], [['a b', 'a b c d', 'a b c d e f']]).referenceLength).toBe(2);
    expect(corpusBleu(['a b c'], [['a', 'a b c d']]).referenceLength).toBe(4);
  });

  it('scores nothing right, and nothing said, with 0', () => {
    expect(corpusBleu(['a b c d'], ['e f g h']).score).toBe(0);
    expect(corpusBleu([''], ['e f g h'])).toMatchObject({ score: 0, brevityPenalty: 0 });
  });

  it('takes another way to cut words', () => {
    expect(corpusBleu(['abcd'], ['abcd'], { tokenize: (line) => [...line] }).totals).toEqual([4, 3, 2, 1]);
  });

  it('refuses texts without references', () => {
    expect(() => corpusBleu(['a'], [])).toThrow(
      'corpusBleu: each text must have its references, and there must be one at least: got 1 texts and references of 0',
    );
    expect(() => corpusBleu([], [])).toThrow('got 0 texts and references of 0');
    expect(() => corpusBleu(['a', 'b'], ['a', []])).toThrow(
      'corpusBleu: text 1 must have a reference at least, got none',
    );
  });
});

describe('tokenize13a', () => {
  it.each([
    ["It's $1,234.50, or so.", ["It's", '$', '1,234.50', ',', 'or', 'so', '.']],
    ['3-4 a-b', ['3', '-', '4', 'a-b']],
    ['&lt;b&gt; &amp; &quot;c&quot;', ['<', 'b', '>', '&', '"', 'c', '"']],
    ['über\u00a0Größe <skipped>', ['über', 'Größe']],
    ['', []],
  ])('cuts %o', (line, words) => {
    expect(tokenize13a(line)).toEqual(words);
  });
});

describe('exactMatch', () => {
  const { config, expected_values: expected } = readFixture('metrics', 'exact_match').manifest as unknown as {
    config: { pairs: { prediction: string; reference: string }[] };
    expected_values: Record<string, never>;
  };
  const predictions = config.pairs.map(({ prediction }) => prediction);
  const references = config.pairs.map(({ reference }) => reference);

  it('has the figures of the fixture', () => {
    const scores = exactMatch(predictions, references);
    expect(scores.exact.map(Number)).toEqual(expected.exact);
    expectClose(scores.wordF1, expected.token_f1!, FLOAT64);
    expectClose(
      [100 * scores.exactMatch, 100 * scores.f1],
      [expected.exact_match_percent!, expected.f1_percent!],
      FLOAT64,
    );
    expect(predictions.map(normalizeAnswer)).toEqual(expected.normalized_predictions);
    expect(references.map(normalizeAnswer)).toEqual(expected.normalized_references);
  });

  it('takes the best of several references', () => {
    const scores = exactMatch(['a red house'], [['house', 'the red house', 'red']]);
    expect(scores).toMatchObject({ exactMatch: 1, f1: 1 });
    expect(exactMatch(['red house'], [['house', 'green']]).wordF1[0]).toBeCloseTo(2 / 3);
  });

  it('counts a word that is said twice as shared once where the reference has it once', () => {
    expect(exactMatch(['red red'], ['red house']).wordF1).toEqual([0.5]);
  });

  it('compares texts as they are where it is told to', () => {
    expect(exactMatch(['A', 'b'], ['a', 'b'], { normalize: (text) => text }).exact).toEqual([false, true]);
  });

  it('refuses predictions without references', () => {
    expect(() => exactMatch(['a'], [])).toThrow(
      'exactMatch: each prediction must have its references, and there must be one at least: ' +
        'got 1 predictions and references of 0',
    );
    expect(() => exactMatch(['a'], [[]])).toThrow('exactMatch: prediction 0 must have a reference at least, got none');
  });
});
