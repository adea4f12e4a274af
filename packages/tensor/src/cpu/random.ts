import type { RandomKernels, RandomStream } from '../kernels/random.js';
import { RANDOM } from './cost.js';
import { type Engine, pointer } from './engine.js';

const GROUP = 16; // elements: GROUP in assembly/random.ts

/** Random numbers: see kernels/random.ts for the contract, assembly/{random,philox}.ts for the work. */
export function randomKernels(engine: Engine): RandomKernels {
  return {
    uniform(y, size, low, high, stream) {
      engine.run(
        'uniform',
        [pointer(y), size, low, high - low, ...words(stream)],
        Math.ceil(size / GROUP),
        GROUP * RANDOM,
      );
    },

    normal(y, size, mean, std, stream) {
      engine.run(
        'normal',
        [pointer(y), size, mean, std, ...words(stream)],
        Math.ceil(size / GROUP),
        3 * GROUP * RANDOM,
      );
    },

    dropout(x, y, size, p, stream) {
      const threshold = dropoutThreshold(p);
      const groups = Math.ceil(size / GROUP);
      engine.run(
        'dropout',
        [pointer(x), pointer(y), size, threshold, 1 / (1 - p), ...words(stream)],
        groups,
        GROUP * RANDOM,
      );
    },
  };
}

/** `u < p` without rounding p to float32: `floor(word / 2⁸)` is below this number. */
function dropoutThreshold(p: number): number {
  return Math.ceil(p * 2 ** 24);
}

function words({ seedLow, seedHigh, offsetLow, offsetHigh }: RandomStream): [number, number, number, number] {
  return [seedLow, seedHigh, offsetLow, offsetHigh];
}
