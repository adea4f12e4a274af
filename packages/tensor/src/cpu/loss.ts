import type { LossKernels } from '../kernels/loss.js';
import { FUNCTION } from './cost.js';
import { type Engine, pointer } from './engine.js';

/** Losses: see kernels/loss.ts for the contract, assembly/{cross-entropy,binary-cross-entropy}.ts for the work. */
export function lossKernels(engine: Engine): LossKernels {
  return {
    crossEntropy(logits, labels, classWeight, loss, lse, rows, cols, ignoreIndex, smoothing) {
      engine.run(
        'crossEntropy',
        [
          pointer(logits),
          pointer(labels),
          pointer(classWeight),
          pointer(loss),
          pointer(lse),
          cols,
          ignoreIndex,
          smoothing,
        ],
        rows,
        cols * FUNCTION,
      );
    },

    crossEntropyBackward(logits, labels, classWeight, lse, g, dlogits, rows, cols, ignoreIndex, smoothing) {
      engine.run(
        'crossEntropyBackward',
        [
          pointer(logits),
          pointer(labels),
          pointer(classWeight),
          pointer(lse),
          pointer(g),
          pointer(dlogits),
          cols,
          ignoreIndex,
          smoothing,
        ],
        rows,
        cols * FUNCTION,
      );
    },

    bceWithLogits(logits, target, posWeight, loss, rows, cols) {
      engine.run(
        'bceWithLogits',
        [pointer(logits), pointer(target), pointer(posWeight), pointer(loss), cols],
        rows,
        cols * 4 * FUNCTION,
      );
    },

    bceWithLogitsBackward(logits, target, posWeight, g, dlogits, rows, cols) {
      engine.run(
        'bceWithLogitsBackward',
        [pointer(logits), pointer(target), pointer(posWeight), pointer(g), pointer(dlogits), cols],
        rows,
        cols * 2 * FUNCTION,
      );
    },
  };
}
