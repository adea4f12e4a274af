import { crossEntropy, Dropout, Embedding, Linear, Module } from '@burin/nn';
import { Generator, scope, type Tensor } from '@burin/tensor';

export const VOCABULARY = 11;
export const CLASSES = 3;
const WIDTH = 6;

interface Batch {
  inputIds: Tensor;
  labels?: Tensor;
}

/** An embedding, a hidden layer with dropout, a head: predicts the next token from the last one. */
export class TinyLanguageModel extends Module {
  readonly embedTokens: Embedding;
  readonly hidden: Linear;
  readonly dropout: Dropout;
  readonly lmHead: Linear;

  constructor({ seed = 1, dropout = 0, width = WIDTH }: { seed?: number; dropout?: number; width?: number } = {}) {
    super();
    const rng = new Generator(seed);
    this.embedTokens = new Embedding(VOCABULARY, width, { rng });
    this.hidden = new Linear(width, width, { rng });
    this.dropout = new Dropout(dropout, new Generator(seed + 1000));
    this.lmHead = new Linear(width, VOCABULARY, { rng });
  }

  forward({ inputIds, labels }: Batch): { loss: Tensor | null; logits: Tensor } {
    return scope(() => {
      const x = this.dropout.forward(this.hidden.forward(this.embedTokens.forward(inputIds)).tanh());
      const logits = this.lmHead.forward(x); // [B, T, V]
      if (!labels) return { loss: null, logits };
      const steps = labels.shape[1]! - 1;
      return { loss: crossEntropy(logits.narrow(1, 0, steps), labels.narrow(1, 1, steps)), logits };
    });
  }
}

/** The mean of the embeddings, and a head: classifies a text without padding. */
export class TinyClassifier extends Module {
  readonly embedTokens: Embedding;
  readonly score: Linear;

  constructor({ seed = 1 }: { seed?: number } = {}) {
    super();
    const rng = new Generator(seed);
    this.embedTokens = new Embedding(VOCABULARY, WIDTH, { rng });
    this.score = new Linear(WIDTH, CLASSES, { rng });
  }

  forward({ inputIds, labels }: Batch): { loss: Tensor | null; logits: Tensor } {
    return scope(() => {
      const logits = this.score.forward(this.embedTokens.forward(inputIds).mean(1)); // [B, C]
      return { loss: labels ? crossEntropy(logits, labels) : null, logits };
    });
  }
}

/** Texts of different lengths in which each token is its forerunner plus 1, from several starts. */
export function countingTexts(count: number): { inputIds: number[] }[] {
  return Array.from({ length: count }, (_, i) => ({
    inputIds: Array.from({ length: 3 + ((i * 5) % 7) }, (_, t) => (i + t) % VOCABULARY),
  }));
}

/** Texts of three tokens whose class is the remainder of their first. */
export function classifiedTexts(count: number): { inputIds: number[]; labels: number }[] {
  return Array.from({ length: count }, (_, i) => ({
    inputIds: [i % VOCABULARY, i % VOCABULARY, i % VOCABULARY],
    labels: (i % VOCABULARY) % CLASSES,
  }));
}

/** Every parameter's values. */
export async function weightsOf(model: Module): Promise<Record<string, number[]>> {
  const entries = [...model.namedParameters()].map(async ([name, p]) => [name, Array.from(await p.data())] as const);
  return Object.fromEntries(await Promise.all(entries));
}
