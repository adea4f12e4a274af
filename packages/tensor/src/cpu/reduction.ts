import type { ReductionKernels } from '../kernels/reduction.js';
import { type Engine, pointer } from './engine.js';
import { capitalize } from './names.js';

const BLOCK = 1024; // elements: BLOCK in assembly/sums.ts
const STRIP = 16; // columns: STRIP in assembly/reduce.ts

/** Reductions: see kernels/reduction.ts for the contract, assembly/{reduce,extremum,softmax}.ts for the work. */
export function reductionKernels(engine: Engine): ReductionKernels {
  const wasm = engine.exports;
  return {
    reduce(op, x, y, outer, length, inner) {
      if (inner === 1) {
        wasm[`reduceRows${capitalize(op)}`](pointer(x), pointer(y), length, 0, outer);
      } else {
        const units = outer * Math.ceil(inner / STRIP);
        wasm[`reduceColumns${capitalize(op)}`](pointer(x), pointer(y), length, inner, 0, units);
      }
    },

    reduceExtremumBackward(op, x, y, g, dx, outer, length, inner) {
      const units = outer * Math.ceil(inner / 4);
      const absolute = op === 'maxAbs';
      wasm.reduceExtremumBackward(pointer(x), pointer(y), pointer(g), pointer(dx), length, inner, absolute, 0, units);
    },

    argmax(x, y, rows, cols) {
      wasm.argmax(pointer(x), pointer(y), cols, 0, rows);
    },

    sumSquares(x, y, size, accumulate) {
      const blocks = Math.ceil(size / BLOCK);
      const partial = engine.workspace(blocks * 8);
      wasm.blockSumSquares(pointer(x), partial, size, 0, blocks);
      wasm.joinBlocks(partial, pointer(y), blocks, accumulate);
    },

    countNonFinite(x, y, size, accumulate) {
      const found = wasm.countNonFinite(pointer(x), 0, size);
      const count = new Int32Array(engine.memory.buffer, pointer(y), 1);
      count[0] = accumulate ? count[0]! + found : found;
    },

    softmax(x, y, rows, cols, log) {
      const kernel = log ? wasm.logSoftmax : wasm.softmax;
      kernel(pointer(x), pointer(y), cols, 0, rows);
    },

    softmaxBackward(y, g, dx, rows, cols, log) {
      const kernel = log ? wasm.logSoftmaxBackward : wasm.softmaxBackward;
      kernel(pointer(y), pointer(g), pointer(dx), cols, 0, rows);
    },
  };
}
