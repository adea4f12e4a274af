import { crossEntropy, Embedding, Linear, Module } from '@burin/nn';
import { Generator, scope, type Tensor } from '@burin/tensor';
import type { HostBatch } from '@burin/trainer';

const VOCABULARY = 8;
const LENGTH = 5;
const NO_ANSWER = -100;

interface Text {
  readonly inputIds: readonly number[];
  /** Where the answer, a 6 and a 7, begins; −100 where there is none. */
  readonly start: number;
}

/** Each token by itself: how likely it is the first of the answer, and the last. */
export class SpanModel extends Module {
  readonly embedTokens = new Embedding(VOCABULARY, 6, { rng: new Generator(1) });
  readonly qaOutputs = new Linear(6, 2, { rng: new Generator(2) });

  forward({ inputIds, ...ends }: { inputIds: Tensor; startPositions: Tensor; endPositions: Tensor }) {
    return scope(() => {
      const logits = this.qaOutputs.forward(this.embedTokens.forward(inputIds)); // [B, T, 2]
      const of = (end: number) => logits.narrow(2, end, 1).reshape(inputIds.shape);
      const loss = crossEntropy(of(0), ends.startPositions)
        .add(crossEntropy(of(1), ends.endPositions))
        .div(2);
      return { logits, loss };
    });
  }
}

/** Texts of which each fifth has no answer. */
export function textsWithAnswers(count: number): Text[] {
  return Array.from({ length: count }, (_, i) => {
    const start = i % 5 === 4 ? NO_ANSWER : i % 4;
    const inputIds = Array.from({ length: LENGTH }, (_, t) => (t === start ? 6 : t === start + 1 ? 7 : (i + t) % 6));
    return { inputIds, start };
  });
}

export function spanCollator(texts: readonly Text[]): HostBatch {
  const positions = (of: (text: Text) => number) => ({ data: Int32Array.from(texts, of), shape: [texts.length] });
  return {
    inputs: {
      inputIds: { data: Int32Array.from(texts.flatMap(({ inputIds }) => inputIds)), shape: [texts.length, LENGTH] },
      startPositions: positions(({ start }) => start),
      endPositions: positions(({ start }) => (start === NO_ANSWER ? start : start + 1)),
    },
  };
}
