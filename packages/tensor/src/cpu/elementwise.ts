import type { ElementwiseKernels } from '../kernels/elementwise.js';
import { rowsOf, simplify } from './broadcast.js';
import { type Engine, pointer } from './engine.js';
import { capitalize } from './names.js';

/** Elementwise kernels: see kernels/elementwise.ts for the contract, assembly/{unary,binary,where,gated}.ts for the work. */
export function elementwiseKernels(engine: Engine): ElementwiseKernels {
  const wasm = engine.exports;
  return {
    unary(op, x, y, size, parameter) {
      wasm[`unary${capitalize(op)}`](pointer(x), pointer(y), 0, size, parameter);
    },

    unaryBackward(op, x, g, dx, size, parameter) {
      wasm[`unaryBackward${capitalize(op)}`](pointer(x), pointer(g), pointer(dx), 0, size, parameter);
    },

    binary(op, a, b, y, shape, aStrides, bStrides) {
      const { dims, rank, length, steps, size } = rowsOf(simplify(shape, [aStrides, bStrides]));
      const [aStep, bStep] = steps as [number, number];
      const kernel = wasm[`binary${capitalize(op)}`];
      kernel(pointer(a), pointer(b), pointer(y), engine.metadata(dims), rank, length, aStep, bStep, 0, size);
    },

    where(condition, a, b, y, shape, conditionStrides, aStrides, bStrides) {
      const { dims, rank, length, steps, size } = rowsOf(simplify(shape, [conditionStrides, aStrides, bStrides]));
      const [conditionStep, aStep, bStep] = steps as [number, number, number];
      wasm.where(
        pointer(condition),
        pointer(a),
        pointer(b),
        pointer(y),
        engine.metadata(dims),
        rank,
        length,
        conditionStep,
        aStep,
        bStep,
        0,
        size,
      );
    },

    addScaled(x, y, alpha, size) {
      wasm.addScaled(pointer(x), pointer(y), alpha, 0, size);
    },

    gated(op, gate, up, y, size) {
      wasm[`gated${capitalize(op)}`](pointer(gate), pointer(up), pointer(y), 0, size);
    },

    gatedBackward(op, gate, up, g, dgate, dup, size) {
      const kernel = wasm[`gatedBackward${capitalize(op)}`];
      kernel(pointer(gate), pointer(up), pointer(g), pointer(dgate), pointer(dup), 0, size);
    },
  };
}
