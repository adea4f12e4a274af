import { binaryScores } from '@burin/trainer';
import type { Mail } from './mails.js';
import { NaiveBayes } from './naive-bayes.js';

/** How a classifier did. */
export interface Scores {
  accuracy: number;
  f1: number; // of spam
}

/** Accuracy and F1 of predictions. */
function scoresOf(predictions: readonly number[], mails: readonly Mail[]): Scores {
  const { accuracy, f1 } = binaryScores(
    predictions,
    mails.map(({ label }) => label),
  );
  return { accuracy, f1 };
}

/** Says of every mail what most of the training part is. */
export function majorityGuess(train: readonly Mail[], test: readonly Mail[]): Scores {
  const spam = train.filter(({ label }) => label === 1).length;
  const guess = 2 * spam > train.length ? 1 : 0;
  return scoresOf(
    test.map(() => guess),
    test,
  );
}

/** Naive Bayes over the words of the first `length` characters of each mail. */
export function naiveBayes(train: readonly Mail[], test: readonly Mail[], length = Number.POSITIVE_INFINITY): Scores {
  const cut = ({ text, label }: Mail): Mail => ({ text: text.slice(0, length), label });
  const model = new NaiveBayes(train.map(cut));
  return scoresOf(
    test.map((mail) => model.predict(cut(mail).text)),
    test,
  );
}
