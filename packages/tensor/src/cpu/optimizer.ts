import type { OptimizerKernels } from '../kernels/optimizer.js';
import { ELEMENT } from './cost.js';
import { type Engine, pointer } from './engine.js';

const FLOAT = 4; // bytes

/** Optimizer steps: see kernels/optimizer.ts for the contract, assembly/optimizer.ts for the work. */
export function optimizerKernels(engine: Engine): OptimizerKernels {
  return {
    adam(args) {
      const { learningRate, beta1, beta2, eps, weightDecay, decoupled, biasCorrection1, biasCorrection2 } = args;
      const decay = decoupled ? ([1 - learningRate * weightDecay, 0] as const) : ([1, weightDecay] as const);
      engine.run(
        'adam',
        [
          pointer(args.parameter) + args.offset * FLOAT,
          pointer(args.gradient) + args.offset * FLOAT,
          pointer(args.expAvg) + args.expAvgOffset * FLOAT,
          pointer(args.expAvgSq) + args.expAvgSqOffset * FLOAT,
          ...decay,
          1 - beta1,
          beta2,
          1 - beta2,
          learningRate / biasCorrection1,
          Math.sqrt(biasCorrection2),
          eps,
        ],
        args.size,
        13 * ELEMENT,
      );
    },

    sgd(args) {
      engine.run(
        'sgd',
        [
          pointer(args.parameter) + args.offset * FLOAT,
          pointer(args.gradient) + args.offset * FLOAT,
          args.momentumBuffer ? pointer(args.momentumBuffer) + args.momentumOffset * FLOAT : 0,
          args.learningRate,
          args.momentum,
          1 - args.dampening,
          args.weightDecay,
          args.nesterov,
          args.first,
        ],
        args.size,
        10 * ELEMENT,
      );
    },
  };
}
