import type { ElementwiseKernels } from '../kernels/elementwise.js';
import { rowsOf, simplify } from './broadcast.js';
import { ELEMENT, FUNCTION } from './cost.js';
import { type Engine, pointer } from './engine.js';
import { capitalize } from './names.js';

/** Elementwise kernels: see kernels/elementwise.ts for the contract, assembly/{unary,binary,where,gated}.ts for the work. */
export function elementwiseKernels(engine: Engine): ElementwiseKernels {
  return {
    unary(op, x, y, size, parameter) {
      engine.run(`unary${capitalize(op)}`, [pointer(x), pointer(y), parameter], size, FUNCTION);
    },

    unaryBackward(op, x, g, dx, size, parameter) {
      engine.run(`unaryBackward${capitalize(op)}`, [pointer(x), pointer(g), pointer(dx), parameter], size, FUNCTION);
    },

    binary(op, a, b, y, shape, aStrides, bStrides) {
      const { dims, rank, length, steps, size } = rowsOf(simplify(shape, [aStrides, bStrides]));
      const [aStep, bStep] = steps as [number, number];
      const pointers = [pointer(a), pointer(b), pointer(y)] as const;
      const walk = [engine.metadata(dims), rank, length, aStep, bStep] as const;
      engine.run(`binary${capitalize(op)}`, [...pointers, ...walk], size, op === 'pow' ? FUNCTION : 3 * ELEMENT);
    },

    where(condition, a, b, y, shape, conditionStrides, aStrides, bStrides) {
      const { dims, rank, length, steps, size } = rowsOf(simplify(shape, [conditionStrides, aStrides, bStrides]));
      const [conditionStep, aStep, bStep] = steps as [number, number, number];
      const pointers = [pointer(condition), pointer(a), pointer(b), pointer(y)] as const;
      const walk = [engine.metadata(dims), rank, length, conditionStep, aStep, bStep] as const;
      engine.run('where', [...pointers, ...walk], size, 3 * ELEMENT);
    },

    addScaled(x, y, alpha, size) {
      engine.run('addScaled', [pointer(x), pointer(y), alpha], size, 3 * ELEMENT);
    },

    gated(op, gate, up, y, size) {
      engine.run(`gated${capitalize(op)}`, [pointer(gate), pointer(up), pointer(y)], size, FUNCTION);
    },

    gatedBackward(op, gate, up, g, dgate, dup, size) {
      const inputs = [pointer(gate), pointer(up), pointer(g)] as const;
      engine.run(`gatedBackward${capitalize(op)}`, [...inputs, pointer(dgate), pointer(dup)], size, 2 * FUNCTION);
    },
  };
}
