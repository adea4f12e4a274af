import type { LossKernels } from '../kernels/loss.js';
import { type Engine, pointer } from './engine.js';

/** Losses: see kernels/loss.ts for the contract, assembly/{cross-entropy,binary-cross-entropy}.ts for the work. */
export function lossKernels(engine: Engine): LossKernels {
  const wasm = engine.exports;
  return {
    crossEntropy(logits, labels, classWeight, loss, lse, rows, cols, ignoreIndex, smoothing) {
      const inputs = [pointer(logits), pointer(labels), pointer(classWeight)] as const;
      wasm.crossEntropy(...inputs, pointer(loss), pointer(lse), cols, ignoreIndex, smoothing, 0, rows);
    },

    crossEntropyBackward(logits, labels, classWeight, lse, g, dlogits, rows, cols, ignoreIndex, smoothing) {
      const inputs = [pointer(logits), pointer(labels), pointer(classWeight), pointer(lse), pointer(g)] as const;
      wasm.crossEntropyBackward(...inputs, pointer(dlogits), cols, ignoreIndex, smoothing, 0, rows);
    },

    bceWithLogits(logits, target, posWeight, loss, rows, cols) {
      wasm.bceWithLogits(pointer(logits), pointer(target), pointer(posWeight), pointer(loss), cols, 0, rows);
    },

    bceWithLogitsBackward(logits, target, posWeight, g, dlogits, rows, cols) {
      const inputs = [pointer(logits), pointer(target), pointer(posWeight), pointer(g)] as const;
      wasm.bceWithLogitsBackward(...inputs, pointer(dlogits), cols, 0, rows);
    },
  };
}
