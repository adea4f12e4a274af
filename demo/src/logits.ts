import { type LlamaForSequenceClassification, tokenBatch } from '@burin/models';
import { noGrad, scope } from '@burin/tensor';
import type { Example } from '@burin/trainer';

/** Logits of each example, `[examples, classes]` flat: what is compared between a model and its copy. */
export async function logitsOf(model: LlamaForSequenceClassification, examples: readonly Example[]): Promise<number[]> {
  const rows = examples.map(({ inputIds }) => Array.from(inputIds));
  model.eval();
  const logits = noGrad(() =>
    scope(() => model.forward(tokenBatch(rows, { vocabSize: model.config.vocabSize })).logits),
  );
  const values = [...(await logits.data())];
  logits.dispose();
  return values;
}

/** The largest difference between two sets of logits. */
export function largestGap(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) throw new RangeError(`largestGap: expected ${a.length} logits, got ${b.length}`);
  return a.reduce((gap, value, i) => Math.max(gap, Math.abs(value - b[i]!)), 0);
}
