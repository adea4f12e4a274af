import { crossEntropy } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import type { States } from './heads.js';
import type { ModelOutput } from './model-input.js';

/** Where the answer lies that a question answering head is trained on. */
export interface SpanInput {
  /** int32 `[B]`: the answer's first token; −100 has no loss. */
  startPositions?: Tensor | null;
  /** int32 `[B]`: its last. */
  endPositions?: Tensor | null;
}

/** What a question answering head returns. */
export interface SpanOutput extends ModelOutput {
  logits: Tensor; // [B, T, 2]: both
  startLogits: Tensor; // [B, T]: how likely each token is the first of the answer
  endLogits: Tensor; // [B, T]
}

/** Logits of where the answer begins and ends; the loss is the mean of both cross entropies, over the tokens of a text. */
export function spanOutput(
  head: { forward(x: Tensor): Tensor },
  { states, hiddenStates }: States,
  { startPositions, endPositions }: SpanInput,
): SpanOutput {
  const logits = head.forward(states); // [B, T, 2]
  const [B, T] = logits.shape as [number, number, number];
  const [startLogits, endLogits] = [0, 1].map((end) => logits.narrow(2, end, 1).reshape([B, T])) as [Tensor, Tensor];
  const loss =
    startPositions && endPositions
      ? crossEntropy(startLogits, startPositions).add(crossEntropy(endLogits, endPositions)).div(2)
      : null;
  return { logits, startLogits, endLogits, loss, hiddenStates };
}
