import type { LossKernels } from '../kernels/loss.js';
import { FUNCTION } from './cost.js';
import { type Engine, pointer } from './engine.js';

/** Losses: see kernels/loss.ts for the contract, assembly/{cross-entropy,binary-cross-entropy}.ts for the work. */
export function lossKernels(engine: Engine): LossKernels {
  return {
    crossEntropy(logits, labels, classWeight, loss, lse, rows, cols, ignoreIndex, smoothing) {
      const inputs = [pointer(logits), pointer(labels), pointer(classWeight)] as const;
      const args = [...inputs, pointer(loss), pointer(lse), cols, ignoreIndex, smoothing] as const;
      engine.run('crossEntropy', [...args], rows, cols * FUNCTION);
    },

    crossEntropyBackward(logits, labels, classWeight, lse, g, dlogits, rows, cols, ignoreIndex, smoothing) {
      const inputs = [pointer(logits), pointer(labels), pointer(classWeight), pointer(lse), pointer(g)] as const;
      const args = [...inputs, pointer(dlogits), cols, ignoreIndex, smoothing] as const;
      engine.run('crossEntropyBackward', [...args], rows, cols * FUNCTION);
    },

    bceWithLogits(logits, target, posWeight, loss, rows, cols) {
      const inputs = [pointer(logits), pointer(target), pointer(posWeight)] as const;
      engine.run('bceWithLogits', [...inputs, pointer(loss), cols], rows, cols * 4 * FUNCTION);
    },

    bceWithLogitsBackward(logits, target, posWeight, g, dlogits, rows, cols) {
      const inputs = [pointer(logits), pointer(target), pointer(posWeight), pointer(g)] as const;
      engine.run('bceWithLogitsBackward', [...inputs, pointer(dlogits), cols], rows, cols * 2 * FUNCTION);
    },
  };
}
