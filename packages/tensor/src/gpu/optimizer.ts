import type { AdamArguments, OptimizerKernels, SgdArguments } from '../kernels/optimizer.js';
import { gpuKernel } from './kernel.js';
import type { Launcher } from './launcher.js';

// Each state is a result of its own, so a step is one kernel a state and one for the parameter, in this order.

const OFFSETS = { offset: 'Integer', at: 'Integer' } as const;

const expAvg = gpuKernel(
  'adamExpAvg',
  ['state', 'gradient', 'parameter'],
  { ...OFFSETS, beta: 'Float', rest: 'Float', decay: 'Float' },
  `const g = gradient[this.thread.x + offset] + decay * parameter[this.thread.x + offset];
   return beta * state[this.thread.x + at] + rest * g;`,
);

const expAvgSq = gpuKernel(
  'adamExpAvgSq',
  ['state', 'gradient', 'parameter'],
  { ...OFFSETS, beta: 'Float', rest: 'Float', decay: 'Float' },
  `const g = gradient[this.thread.x + offset] + decay * parameter[this.thread.x + offset];
   return beta * state[this.thread.x + at] + rest * g * g;`,
);

const adamParameter = gpuKernel(
  'adamParameter',
  ['parameter', 'expAvg', 'expAvgSq'],
  {
    ...{ offset: 'Integer', avgAt: 'Integer', sqAt: 'Integer' },
    ...{ keep: 'Float', rate: 'Float', root: 'Float', eps: 'Float' },
  },
  `const denominator = Math.sqrt(expAvgSq[this.thread.x + sqAt]) / root + eps;
   return parameter[this.thread.x + offset] * keep - rate * expAvg[this.thread.x + avgAt] / denominator;`,
);

const momentum = gpuKernel(
  'sgdMomentum',
  ['state', 'gradient', 'parameter'],
  { ...OFFSETS, keep: 'Float', rest: 'Float', decay: 'Float', first: 'Integer' },
  `const g = gradient[this.thread.x + offset] + decay * parameter[this.thread.x + offset];
   if (first > 0) { return g; }
   return keep * state[this.thread.x + at] + rest * g;`,
);

const sgdParameter = gpuKernel(
  'sgdParameter',
  ['parameter', 'gradient', 'state'],
  { ...OFFSETS, rate: 'Float', decay: 'Float', own: 'Float', past: 'Float' },
  `const p = parameter[this.thread.x + offset];
   const g = gradient[this.thread.x + offset] + decay * p;
   let direction = 0.0;
   if (own > 0) { direction = own * g; }
   if (past > 0) { direction = direction + past * state[this.thread.x + at]; }
   return p - rate * direction;`,
);

/** One step of an optimizer: see kernels/optimizer.ts for the contract. */
export function optimizerKernels(launcher: Launcher): OptimizerKernels {
  return {
    adam(args: AdamArguments) {
      const { parameter, gradient, offset, size, beta1, beta2, learningRate, weightDecay, decoupled } = args;
      const decay = decoupled ? 0 : weightDecay;
      const moments = [gradient, parameter];
      const first = [offset, args.expAvgOffset, beta1, 1 - beta1, decay];
      launcher.launchAt(expAvg, args.expAvg, args.expAvgOffset, size, [args.expAvg, ...moments], first);
      const second = [offset, args.expAvgSqOffset, beta2, 1 - beta2, decay];
      launcher.launchAt(expAvgSq, args.expAvgSq, args.expAvgSqOffset, size, [args.expAvgSq, ...moments], second);
      launcher.launchAt(
        adamParameter,
        parameter,
        offset,
        size,
        [parameter, args.expAvg, args.expAvgSq],
        [
          ...[offset, args.expAvgOffset, args.expAvgSqOffset, decoupled ? 1 - learningRate * weightDecay : 1],
          ...[learningRate / args.biasCorrection1, Math.sqrt(args.biasCorrection2), args.eps],
        ],
      );
    },

    sgd(args: SgdArguments) {
      const { parameter, gradient, offset, size, momentumBuffer, momentumOffset, weightDecay, learningRate } = args;
      const state = momentumBuffer ?? gradient;
      if (momentumBuffer) {
        const scalars = [args.momentum, 1 - args.dampening, weightDecay, args.first ? 1 : 0];
        const inputs = [momentumBuffer, gradient, parameter];
        launcher.launchAt(momentum, momentumBuffer, momentumOffset, size, inputs, [offset, momentumOffset, ...scalars]);
      }
      const own = momentumBuffer && !args.nesterov ? 0 : 1;
      const past = momentumBuffer ? (args.nesterov ? args.momentum : 1) : 0;
      const scalars = [learningRate, weightDecay, own, past];
      launcher.launchAt(
        sgdParameter,
        parameter,
        offset,
        size,
        [parameter, gradient, state],
        [offset, momentumBuffer ? momentumOffset : 0, ...scalars],
      );
    },
  };
}
