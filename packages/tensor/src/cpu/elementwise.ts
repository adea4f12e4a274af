import type { BinaryOp, ElementwiseKernels, UnaryOp } from '../kernels/elementwise.js';
import { rowsOver } from './broadcast.js';
import { ELEMENT, FUNCTION, POWER } from './cost.js';
import { type Engine, pointer } from './engine.js';
import { capitalize } from './names.js';

/** Elementwise kernels: see kernels/elementwise.ts for the contract, assembly/{unary,binary,where,gated}.ts for the work. */
export function elementwiseKernels(engine: Engine): ElementwiseKernels {
  return {
    unary(op, x, y, size, parameter) {
      engine.run(`unary${capitalize(op)}`, [pointer(x), pointer(y), parameter], size, unaryCost(op));
    },

    unaryBackward(op, x, g, dx, size, parameter) {
      engine.run(
        `unaryBackward${capitalize(op)}`,
        [pointer(x), pointer(g), pointer(dx), parameter],
        size,
        unaryCost(op),
      );
    },

    binary(op, a, b, y, shape, aStrides, bStrides) {
      const { dims, rank, length, steps, size } = rowsOver(shape, [aStrides, bStrides]);
      const [aStep, bStep] = steps as [number, number];
      engine.run(
        `binary${capitalize(op)}`,
        [pointer(a), pointer(b), pointer(y), engine.metadata(dims), rank, length, aStep, bStep],
        size,
        binaryCost(op),
      );
    },

    where(condition, a, b, y, shape, conditionStrides, aStrides, bStrides) {
      const { dims, rank, length, steps, size } = rowsOver(shape, [conditionStrides, aStrides, bStrides]);
      const [conditionStep, aStep, bStep] = steps as [number, number, number];
      engine.run(
        'where',
        [
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
        ],
        size,
        6 * ELEMENT,
      );
    },

    addScaled(x, y, alpha, size) {
      engine.run('addScaled', [pointer(x), pointer(y), alpha], size, 3 * ELEMENT);
    },

    gated(op, gate, up, y, size) {
      engine.run(`gated${capitalize(op)}`, [pointer(gate), pointer(up), pointer(y)], size, FUNCTION);
    },

    gatedBackward(op, gate, up, g, dgate, dup, size) {
      engine.run(
        `gatedBackward${capitalize(op)}`,
        [pointer(gate), pointer(up), pointer(g), pointer(dgate), pointer(dup)],
        size,
        1.5 * FUNCTION,
      );
    },
  };
}

const FUNCTIONS: ReadonlySet<UnaryOp> = new Set<UnaryOp>([
  ...(['exp', 'log', 'sin', 'cos', 'tanh', 'sigmoid', 'erf'] as const),
  ...(['geluErf', 'geluTanh', 'quickGelu', 'silu'] as const),
]);

function unaryCost(op: UnaryOp): number {
  if (op === 'powScalar') return POWER;
  return FUNCTIONS.has(op) ? FUNCTION : 3 * ELEMENT;
}

function binaryCost(op: BinaryOp): number {
  return op === 'pow' ? POWER : 3 * ELEMENT;
}
