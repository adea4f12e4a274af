import type { Mail } from './mails.js';

/**
 * Multinomial naive Bayes over words with add-one smoothing: the strong and simple baseline of spam filtering
 * (Manning, Raghavan & Schütze 2008, Introduction to Information Retrieval, chapter 13).
 */
export class NaiveBayes {
  private readonly counts = [new Map<string, number>(), new Map<string, number>()] as const;
  private readonly words: [number, number] = [0, 0];
  private readonly mails: [number, number] = [0, 0];
  private readonly vocabulary = new Set<string>();

  constructor(mails: readonly Mail[]) {
    for (const { text, label } of mails) {
      this.mails[label]++;
      for (const word of wordsOf(text)) {
        this.counts[label].set(word, (this.counts[label].get(word) ?? 0) + 1);
        this.words[label]++;
        this.vocabulary.add(word);
      }
    }
  }

  predict(text: string): 0 | 1 {
    const words = wordsOf(text).filter((word) => this.vocabulary.has(word));
    return this.score(words, 1) > this.score(words, 0) ? 1 : 0;
  }

  /** log p(label) + Σ log p(word | label) */
  private score(words: readonly string[], label: 0 | 1): number {
    const total = this.words[label] + this.vocabulary.size;
    let score = Math.log(this.mails[label] / (this.mails[0] + this.mails[1]));
    for (const word of words) score += Math.log(((this.counts[label].get(word) ?? 0) + 1) / total);
    return score;
  }
}

/** Words in lower case: letters, digits and the signs that spam likes. */
function wordsOf(text: string): string[] {
  return text.toLowerCase().match(/[a-z0-9$!%'-]{2,}/g) ?? [];
}
