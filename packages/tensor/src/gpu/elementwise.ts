import type { BinaryOp, ElementwiseKernels, GateOp, UnaryOp } from '../kernels/elementwise.js';
import { isNan, powOf } from './functions.js';
import { family, gpuKernel } from './kernel.js';
import type { Launcher } from './launcher.js';
import { UNARY } from './unary-ops.js';
import { launchWalk, strided, strideScalars, WALK_FUNCTIONS } from './walk.js';

const unary = family((op: UnaryOp) => {
  const { value, functions } = UNARY[op];
  return gpuKernel(`unary ${op}`, ['xs'], { p: 'Float' }, `const x = xs[this.thread.x]; return ${value};`, {
    functions,
  });
});

const unaryBackward = family((op: UnaryOp) => {
  const { slope, functions } = UNARY[op];
  const body = `const x = xs[this.thread.x]; return gs[this.thread.x] * (${slope});`;
  return gpuKernel(`unaryBackward ${op}`, ['xs', 'gs'], { p: 'Float' }, body, { functions });
});

const BINARY: Readonly<Record<BinaryOp, string>> = {
  add: 'return a + b;',
  sub: 'return a - b;',
  mul: 'return a * b;',
  div: 'return a / b;',
  pow: 'return powOf(a, b);',
  maximum: 'if (isNan(a) > 0 || a > b) { return a; } return b;',
  minimum: 'if (isNan(a) > 0 || a < b) { return a; } return b;',
};

const binaryFunctions = (op: BinaryOp) => (op === 'pow' ? [powOf] : [isNan]);

const binaryFlat = family((op: BinaryOp) => {
  const body = `const a = as[this.thread.x]; const b = bs[this.thread.x]; ${BINARY[op]}`;
  return gpuKernel(`binaryFlat ${op}`, ['as', 'bs'], {}, body, { functions: binaryFunctions(op) });
});

const binaryStrided = family((op: BinaryOp) => {
  const body = `const a = ${strided('as')}; const b = ${strided('bs')}; ${BINARY[op]}`;
  const scalars = { length2: 'Integer', ...strideScalars('as'), ...strideScalars('bs') } as const;
  return gpuKernel(`binary ${op}`, ['as', 'bs'], scalars, body, {
    functions: [...WALK_FUNCTIONS, ...binaryFunctions(op)],
  });
});

const where = gpuKernel(
  'where',
  ['condition', 'as', 'bs'],
  { length2: 'Integer', ...strideScalars('condition'), ...strideScalars('as'), ...strideScalars('bs') },
  `if (${strided('condition')} !== 0) { return ${strided('as')}; } return ${strided('bs')};`,
  { functions: WALK_FUNCTIONS },
);

const addScaled = gpuKernel(
  'addScaled',
  ['x', 'y'],
  { alpha: 'Float' },
  'return y[this.thread.x] + alpha * x[this.thread.x];',
);

/** silu's beta inside a gate is 1; the others have no parameter. */
const gated = family((op: GateOp) => {
  const { value, functions } = UNARY[op];
  const body = `const x = gate[this.thread.x]; const p = 1.0; return (${value}) * up[this.thread.x];`;
  return gpuKernel(`gated ${op}`, ['gate', 'up'], {}, body, { functions });
});

const gatedGateGradient = family((op: GateOp) => {
  const { slope, functions } = UNARY[op];
  const body = `const x = gate[this.thread.x]; const p = 1.0; return g[this.thread.x] * up[this.thread.x] * (${slope});`;
  return gpuKernel(`gatedGateGradient ${op}`, ['gate', 'up', 'g'], {}, body, { functions });
});

/** Elementwise kernels: see kernels/elementwise.ts for the contract. */
export function elementwiseKernels(launcher: Launcher): ElementwiseKernels {
  return {
    unary(op, x, y, size, parameter) {
      launcher.launch(unary(op), y, size, [x], [parameter]);
    },

    unaryBackward(op, x, g, dx, size, parameter) {
      launcher.launch(unaryBackward(op), dx, size, [x, g], [parameter]);
    },

    binary(op, a, b, y, shape, aStrides, bStrides) {
      if (isContiguous(shape, aStrides) && isContiguous(shape, bStrides)) {
        launcher.launch(binaryFlat(op), y, sizeOf(shape), [a, b]);
        return;
      }
      launchWalk(launcher, binaryStrided(op), y, shape, [
        { input: a, start: 0, strides: aStrides },
        { input: b, start: 0, strides: bStrides },
      ]);
    },

    where(condition, a, b, y, shape, conditionStrides, aStrides, bStrides) {
      launchWalk(launcher, where, y, shape, [
        { input: condition, start: 0, strides: conditionStrides },
        { input: a, start: 0, strides: aStrides },
        { input: b, start: 0, strides: bStrides },
      ]);
    },

    addScaled(x, y, alpha, size) {
      launcher.launch(addScaled, y, size, [x, y], [alpha]);
    },

    gated(op, gate, up, y, size) {
      launcher.launch(gated(op), y, size, [gate, up]);
    },

    gatedBackward(op, gate, up, g, dgate, dup, size) {
      // either result may take the place of an input, so neither is put there before both are computed
      launcher.withScratch(size, (slope) => {
        launcher.launch(gatedGateGradient(op), slope, size, [gate, up, g]);
        launcher.launch(gated(op), dup, size, [gate, g]);
        launcher.copy(slope, 0, dgate, 0, size);
      });
    },
  };
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== step) return false;
    step *= shape[axis]!;
  }
  return true;
}
