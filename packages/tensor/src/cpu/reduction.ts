import type { ReduceOp, ReductionKernels } from '../kernels/reduction.js';
import { ELEMENT, FUNCTION } from './cost.js';
import { type Engine, pointer } from './engine.js';
import { capitalize } from './names.js';

const BLOCK = 1024; // elements: BLOCK in assembly/sums.ts
const STRIP = 16; // columns: STRIP in assembly/reduce.ts
/** Rows of at least so many elements are shared by threads, where there are few rows. */
const LONG_ROW = 64 * BLOCK;

/** Reductions: see kernels/reduction.ts for the contract, assembly/{reduce,extremum,softmax}.ts for the work. */
export function reductionKernels(engine: Engine): ReductionKernels {
  const wasm = engine.exports;
  return {
    reduce(op, x, y, outer, length, inner) {
      const [from, to] = [pointer(x), pointer(y)];
      if (inner !== 1) {
        const units = outer * Math.ceil(inner / STRIP);
        engine.run(`reduceColumns${capitalize(op)}`, [from, to, length, inner], units, length * STRIP * ELEMENT);
      } else if (length >= LONG_ROW && outer < 8) {
        for (let row = 0; row < outer; row++) reduceLongRow(engine, op, from + row * length * 4, to + row * 4, length);
      } else {
        engine.run(`reduceRows${capitalize(op)}`, [from, to, length], outer, length * ELEMENT);
      }
    },

    reduceExtremumBackward(op, x, y, g, dx, outer, length, inner) {
      const units = outer * Math.ceil(inner / 4);
      const unitCost = (inner === 1 ? 6 : 120) * length * ELEMENT;
      const absolute = op === 'maxAbs';
      engine.run(
        'reduceExtremumBackward',
        [pointer(x), pointer(y), pointer(g), pointer(dx), length, inner, absolute],
        units,
        unitCost,
      );
    },

    argmax(x, y, rows, cols) {
      engine.run('argmax', [pointer(x), pointer(y), cols], rows, 8 * cols * ELEMENT);
    },

    sumSquares(x, y, size, accumulate) {
      const blocks = Math.ceil(size / BLOCK);
      const partial = engine.workspace(blocks * 8);
      engine.run('blockSumSquares', [pointer(x), partial, size], blocks, 3 * BLOCK * ELEMENT);
      wasm.joinBlocks(partial, pointer(y), blocks, accumulate);
    },

    countNonFinite(x, y, size, accumulate) {
      const blocks = Math.ceil(size / BLOCK);
      const counts = engine.workspace(blocks * 4);
      engine.run('blockNonFinite', [pointer(x), counts, size], blocks, 2 * BLOCK * ELEMENT);
      wasm.joinCounts(counts, pointer(y), blocks, accumulate);
    },

    softmax(x, y, rows, cols, log) {
      engine.run(log ? 'logSoftmax' : 'softmax', [pointer(x), pointer(y), cols], rows, cols * FUNCTION);
    },

    softmaxBackward(y, g, dx, rows, cols, log) {
      const kernel = log ? 'logSoftmaxBackward' : 'softmaxBackward';
      const cost = log ? FUNCTION : 4 * ELEMENT;
      engine.run(kernel, [pointer(y), pointer(g), pointer(dx), cols], rows, cols * cost);
    },
  };
}

/**
 * One row as rows of 1024, then those joined. Sums are joined in float64 and in order, as the kernel for whole rows does:
 * the result is the same bit for bit.
 */
function reduceLongRow(engine: Engine, op: ReduceOp, x: number, y: number, length: number): void {
  const kernel = `reduceRows${capitalize(op)}` as const;
  const whole = Math.floor(length / BLOCK);
  const rest = length - whole * BLOCK;
  const blocks = whole + (rest > 0 ? 1 : 0);
  const partial = engine.workspace(blocks * 4);
  engine.run(kernel, [x, partial, BLOCK], whole, BLOCK * ELEMENT);
  if (rest > 0) engine.exports[kernel](x + whole * BLOCK * 4, partial + whole * 4, rest, 0, 1);
  if (op.startsWith('sum')) engine.exports.joinRowBlocks(partial, y, blocks);
  else engine.run(kernel, [partial, y, blocks], 1, 0);
}
