import type { OptimizerKernels } from '../kernels/optimizer.js';
import { ELEMENT } from './cost.js';
import { type Engine, pointer } from './engine.js';

const FLOAT = 4; // bytes

/** Optimizer steps: see kernels/optimizer.ts for the contract, assembly/optimizer.ts for the work. */
export function optimizerKernels(engine: Engine): OptimizerKernels {
  return {
    adam(args) {
      const { learningRate, beta1, beta2, eps, weightDecay, decoupled, biasCorrection1, biasCorrection2 } = args;
      const state = [
        pointer(args.parameter) + args.offset * FLOAT,
        pointer(args.gradient) + args.offset * FLOAT,
        pointer(args.expAvg) + args.expAvgOffset * FLOAT,
        pointer(args.expAvgSq) + args.expAvgSqOffset * FLOAT,
      ] as const;
      const decay = decoupled ? ([1 - learningRate * weightDecay, 0] as const) : ([1, weightDecay] as const);
      const moments = [1 - beta1, beta2, 1 - beta2] as const;
      const step = [learningRate / biasCorrection1, Math.sqrt(biasCorrection2), eps] as const;
      engine.run('adam', [...state, ...decay, ...moments, ...step], args.size, 13 * ELEMENT);
    },

    sgd(args) {
      const state = [
        pointer(args.parameter) + args.offset * FLOAT,
        pointer(args.gradient) + args.offset * FLOAT,
        args.momentumBuffer ? pointer(args.momentumBuffer) + args.momentumOffset * FLOAT : 0,
      ] as const;
      const step = [args.learningRate, args.momentum, 1 - args.dampening, args.weightDecay] as const;
      engine.run('sgd', [...state, ...step, args.nesterov, args.first], args.size, 10 * ELEMENT);
    },
  };
}
