import type { LossKernels } from '../kernels/loss.js';
import { expOf, log1pOf, logOf, notANumber, sigmoidOf } from './functions.js';
import { family, gpuKernel } from './kernel.js';
import { type Launcher, view } from './launcher.js';
import { present } from './small.js';
import { EXPONENTIALS, MAX, reduceAll, reduceParts, SUM } from './staged.js';

/** `log Σ exp(x)` of a row from its largest element and the sum of exp(x − largest). */
const logSum = gpuKernel(
  'logSum',
  ['top', 'sum'],
  {},
  `const largest = top[this.thread.x];
   if (largest < -3.4028234e38) { return largest; }
   return largest + logOf(sum[this.thread.x]);`,
  { functions: [logOf] },
);

/** Σc w[c] · (lse − logits[c]) of a row, for label smoothing. */
const smoothSums = (weighted: boolean) =>
  reduceParts(
    'sum',
    ['xs', 'lse', ...(weighted ? ['weight'] : [])],
    `${weighted ? 'weight[AT] * ' : ''}(lse[this.thread.z] - x)`,
    `smoothSums ${weighted}`,
  );

const crossEntropy = family((weighted: boolean, smoothed: boolean) =>
  gpuKernel(
    `crossEntropy ${weighted} ${smoothed}`,
    ['logits', 'labels', 'lse', ...(smoothed ? ['smooth'] : []), ...(weighted ? ['weight'] : [])],
    { cols: 'Float', ignoreIndex: 'Float', smoothing: 'Float' },
    `const label = labels[this.thread.x];
     if (label === ignoreIndex) { return 0; }
     if (label < 0 || label >= cols) { return notANumber(label); }
     let loss = (1 - smoothing) * (lse[this.thread.x] - logits[this.thread.x][label]);
     ${weighted ? 'loss = loss * weight[label];' : ''}
     ${smoothed ? 'loss = loss + smoothing / cols * smooth[this.thread.x];' : ''}
     return loss;`,
    { functions: [notANumber] },
  ),
);

const crossEntropyBackward = family((weighted: boolean) =>
  gpuKernel(
    `crossEntropyBackward ${weighted}`,
    ['logits', 'labels', 'lse', 'g', ...(weighted ? ['weight', 'total'] : [])],
    { cols: 'Float', ignoreIndex: 'Float', smoothing: 'Float' },
    `const label = labels[this.thread.y];
     if (label === ignoreIndex) { return 0; }
     if (label < 0 || label >= cols) { return notANumber(label); }
     const p = expOf(logits[this.thread.y][this.thread.x] - lse[this.thread.y]);
     let hard = p;
     if (label === this.thread.x) { hard = p - 1; }
     ${weighted ? 'hard = hard * weight[label];' : ''}
     const smooth = ${weighted ? '(p * total[0] - weight[this.thread.x]) / cols' : 'p - 1 / cols'};
     return g[this.thread.y] * ((1 - smoothing) * hard + smoothing * smooth);`,
    { functions: [expOf, notANumber] },
  ),
);

/** 1 + (posWeight − 1) · t. */
const factor = (weighted: boolean) => (weighted ? '(1 + (posWeight[this.thread.x] - 1) * t)' : '1.0');

const ELEMENT = `const x = logits[this.thread.y][this.thread.x];
     const t = target[this.thread.y][this.thread.x];`;

/** log(1 + exp(−x)) = max(−x, 0) + log1p(exp(−|x|)). */
const bce = family((weighted: boolean) =>
  gpuKernel(
    `bceWithLogits ${weighted}`,
    ['logits', 'target', ...(weighted ? ['posWeight'] : [])],
    {},
    `${ELEMENT}
     const e = expOf(-Math.abs(x));
     let softplus = log1pOf(e);
     if (x < 0) { softplus = softplus - x; }
     return (1 - t) * x + ${factor(weighted)} * softplus;`,
    { functions: [expOf, log1pOf] },
  ),
);

const bceBackward = family((weighted: boolean) =>
  gpuKernel(
    `bceWithLogitsBackward ${weighted}`,
    ['logits', 'target', 'g', ...(weighted ? ['posWeight'] : [])],
    {},
    `${ELEMENT}
     return g[this.thread.y][this.thread.x] * (1 - t - ${factor(weighted)} * sigmoidOf(-x));`,
    { functions: [sigmoidOf] },
  ),
);

/** Losses: see kernels/loss.ts for the contract. Probabilities are never held. */
export function lossKernels(launcher: Launcher): LossKernels {
  return {
    crossEntropy(logits, labels, classWeight, loss, lse, rows, cols, ignoreIndex, smoothing) {
      const along = view(logits, 1, cols, rows);
      launcher.withScratch(rows, (sum) => {
        launcher.withScratch(rows, (top) => {
          reduceAll(launcher, MAX, top, [along], rows, cols, 1);
          reduceAll(launcher, EXPONENTIALS, sum, [along, top], rows, cols, 1);
          launcher.launch(logSum, lse, rows, [top, sum]);
        });
        const smoothed = smoothing > 0;
        const weights = present(classWeight);
        if (smoothed) {
          reduceAll(launcher, smoothSums(classWeight !== null), sum, [along, lse, ...weights], rows, cols, 1);
        }
        const inputs = [view(logits, cols, rows), labels, lse, ...(smoothed ? [sum] : []), ...weights];
        const kernel = crossEntropy(classWeight !== null, smoothed);
        launcher.launch(kernel, loss, rows, inputs, [cols, ignoreIndex, smoothing]);
      });
    },

    crossEntropyBackward(logits, labels, classWeight, lse, g, dlogits, rows, cols, ignoreIndex, smoothing) {
      launcher.withScratch(1, (total) => {
        if (classWeight) reduceAll(launcher, SUM, total, [view(classWeight, 1, cols)], 1, cols, 1);
        const inputs = [view(logits, cols, rows), labels, lse, g, ...(classWeight ? [classWeight, total] : [])];
        const kernel = crossEntropyBackward(classWeight !== null);
        launcher.launch(kernel, dlogits, [cols, rows, 1], inputs, [cols, ignoreIndex, smoothing]);
      });
    },

    bceWithLogits(logits, target, posWeight, loss, rows, cols) {
      const inputs = [view(logits, cols, rows), view(target, cols, rows), ...present(posWeight)];
      launcher.launch(bce(posWeight !== null), loss, [cols, rows, 1], inputs);
    },

    bceWithLogitsBackward(logits, target, posWeight, g, dlogits, rows, cols) {
      const inputs = [view(logits, cols, rows), view(target, cols, rows), view(g, cols, rows), ...present(posWeight)];
      launcher.launch(bceBackward(posWeight !== null), dlogits, [cols, rows, 1], inputs);
    },
  };
}
