import type { DeviceBuffer } from '../device.js';
import type { ReduceOp, ReductionKernels } from '../kernels/reduction.js';
import { expOf, isNan, logOf, signOf } from './functions.js';
import { family, gpuKernel } from './kernel.js';
import { type Launcher, view } from './launcher.js';
import { addTo } from './small.js';
import { EXPONENTIALS, reduceAll, reduceParts, type StagedReduction } from './staged.js';

/** What a kernel adds up: the element `x` as the operation sees it. */
const VALUE: Readonly<Record<ReduceOp, string>> = {
  sum: 'x',
  sumAbs: 'Math.abs(x)',
  sumSquares: 'x * x',
  max: 'x',
  min: 'x',
  maxAbs: 'Math.abs(x)',
};

const extremumBackward = family((op: 'max' | 'min' | 'maxAbs') => {
  const seen = VALUE[op];
  const sign = op === 'maxAbs' ? 'signOf(mine)' : '1.0';
  return gpuKernel(
    `extremumBackward ${op}`,
    ['xs', 'y', 'g', 'counts'],
    {},
    `const mine = xs[this.thread.z][this.thread.y][this.thread.x];
     const x = mine;
     if (${seen} === y[this.thread.z][this.thread.x]) {
       return ${sign} * g[this.thread.z][this.thread.x] / counts[this.thread.z][this.thread.x];
     }
     return 0;`,
    { functions: [signOf] },
  );
});

const equals = family((op: 'max' | 'min' | 'maxAbs') =>
  gpuKernel(
    `extremumEquals ${op}`,
    ['xs', 'y'],
    {},
    `const x = xs[this.thread.z][this.thread.y][this.thread.x];
     if (${VALUE[op]} === y[this.thread.z][this.thread.x]) { return 1; }
     return 0;`,
  ),
);

/** The place of the first largest element in a part of a row; NaN counts as largest. */
const argmaxPart = gpuKernel(
  'argmaxPart',
  ['xs'],
  { length: 'Integer', chunk: 'Integer' },
  `let best = xs[this.thread.y][this.thread.x * chunk];
   let at = this.thread.x * chunk;
   for (let i = 0; i < chunk; i++) {
     if (this.thread.x * chunk + i < length) {
       const x = xs[this.thread.y][this.thread.x * chunk + i];
       if (isNan(best) < 1) {
         if (x > best || isNan(x) > 0) { best = x; at = this.thread.x * chunk + i; }
       }
     }
   }
   return at;`,
  { functions: [isNan] },
);

/** The best of the parts' best. */
const argmaxJoin = gpuKernel(
  'argmaxJoin',
  ['xs', 'places'],
  { parts: 'Integer' },
  `let at = places[this.thread.x][0];
   let best = xs[this.thread.x][at];
   for (let i = 0; i < parts; i++) {
     const place = places[this.thread.x][i];
     const x = xs[this.thread.x][place];
     if (isNan(best) < 1) {
       if (x > best || isNan(x) > 0) { best = x; at = place; }
     }
   }
   return at;`,
  { functions: [isNan] },
);

const softmax = family((log: boolean) =>
  gpuKernel(
    `softmax ${log}`,
    ['x', 'top', 'sum'],
    {},
    log
      ? `const largest = top[this.thread.y];
         if (largest < -3.4028234e38) { return x[this.thread.y][this.thread.x]; }
         return x[this.thread.y][this.thread.x] - largest - logOf(sum[this.thread.y]);`
      : `const largest = top[this.thread.y];
         if (largest < -3.4028234e38) { return 0; }
         return expOf(x[this.thread.y][this.thread.x] - largest) / sum[this.thread.y];`,
    { functions: [expOf, logOf] },
  ),
);

const softmaxBackward = family((log: boolean) =>
  gpuKernel(
    `softmaxBackward ${log}`,
    ['y', 'g', 'sum'],
    {},
    log
      ? 'return g[this.thread.y][this.thread.x] - expOf(y[this.thread.y][this.thread.x]) * sum[this.thread.y];'
      : 'return y[this.thread.y][this.thread.x] * (g[this.thread.y][this.thread.x] - sum[this.thread.y]);',
    { functions: [expOf] },
  ),
);

/** Reductions: see kernels/reduction.ts for the contract. */
export function reductionKernels(launcher: Launcher): ReductionKernels {
  const parts = (op: ReduceOp) => reduceParts(op, ['xs'], VALUE[op]);
  const total = (kernel: StagedReduction, x: DeviceBuffer, y: DeviceBuffer, size: number, accumulate: boolean) => {
    if (!accumulate) {
      reduceAll(launcher, kernel, y, [view(x, 1, size)], 1, size, 1);
      return;
    }
    launcher.withScratch(1, (sum) => {
      reduceAll(launcher, kernel, sum, [view(x, 1, size)], 1, size, 1);
      launcher.launch(addTo, y, 1, [sum, y]);
    });
  };
  return {
    reduce(op, x, y, outer, length, inner) {
      reduceAll(launcher, parts(op), y, [view(x, inner, length, outer)], outer, length, inner);
    },

    reduceExtremumBackward(op, x, y, g, dx, outer, length, inner) {
      const size = outer * length * inner;
      const xs = view(x, inner, length, outer);
      launcher.withScratch(size, (flags) => {
        launcher.launch(equals(op), flags, [inner, length, outer], [xs, view(y, inner, outer)]);
        launcher.withScratch(outer * inner, (counts) => {
          reduceAll(launcher, parts('sum'), counts, [view(flags, inner, length, outer)], outer, length, inner);
          const inputs = [xs, view(y, inner, outer), view(g, inner, outer), view(counts, inner, outer)];
          launcher.launch(extremumBackward(op), dx, [inner, length, outer], inputs);
        });
      });
    },

    argmax(x, y, rows, cols) {
      const chunk = 256;
      const count = Math.ceil(cols / chunk);
      launcher.withScratch(rows * count, (places) => {
        launcher.launch(argmaxPart, places, [count, rows, 1], [view(x, cols, rows)], [cols, chunk]);
        launcher.launch(argmaxJoin, y, rows, [view(x, cols, rows), view(places, count, rows)], [count]);
      });
    },

    sumSquares(x, y, size, accumulate) {
      total(parts('sumSquares'), x, y, size, accumulate);
    },

    countNonFinite(x, y, size, accumulate) {
      total(NON_FINITE, x, y, size, accumulate);
    },

    softmax(x, y, rows, cols, log) {
      launcher.withScratch(rows, (top) => {
        reduceAll(launcher, parts('max'), top, [view(x, 1, cols, rows)], rows, cols, 1);
        launcher.withScratch(rows, (sum) => {
          reduceAll(launcher, EXPONENTIALS, sum, [view(x, 1, cols, rows), top], rows, cols, 1);
          launcher.launch(softmax(log), y, [cols, rows, 1], [view(x, cols, rows), top, sum]);
        });
      });
    },

    softmaxBackward(y, g, dx, rows, cols, log) {
      const inputs = [view(y, 1, cols, rows), view(g, 1, cols, rows)];
      launcher.withScratch(rows, (sum) => {
        if (log) reduceAll(launcher, parts('sum'), sum, inputs.slice(1), rows, cols, 1);
        else reduceAll(launcher, DOTS, sum, inputs, rows, cols, 1);
        launcher.launch(softmaxBackward(log), dx, [cols, rows, 1], [view(y, cols, rows), view(g, cols, rows), sum]);
      });
    },
  };
}

const NON_FINITE = reduceParts('sum', ['xs'], '(isNan(x) > 0 || Math.abs(x) > 3.4028234e38 ? 1.0 : 0.0)', 'nonFinite', [
  isNan,
]);

const DOTS = reduceParts('sum', ['xs', 'gs'], 'x * gs[this.thread.z][AT][this.thread.x]', 'dots');
