import type { DeviceBuffer } from '../device.js';
import type { NormalizationKernels } from '../kernels/normalization.js';
import { channelKernels } from './channel-norm.js';
import { family, gpuKernel } from './kernel.js';
import { type Launcher, type LaunchInput, view } from './launcher.js';
import { addTo, meanOf, present } from './small.js';
import { reduceAll, reduceParts, SUM, SUM_SQUARES } from './staged.js';

/** `1 / sqrt(sum / count + eps)`. */
const inverseRoot = gpuKernel(
  'inverseRoot',
  ['sums'],
  { count: 'Float', eps: 'Float' },
  'return 1 / Math.sqrt(sums[this.thread.x] / count + eps);',
);

/** `[name]` if it is there: an input that may be missing. */
const given = (there: boolean, name: string) => (there ? [name] : []);

/** The scale of a column; 1 where there is no weight. */
const scale = (weighted: boolean) => (weighted ? 'weight[this.thread.x]' : '1.0');

const rmsNorm = family((weighted: boolean) =>
  gpuKernel(
    `rmsNorm ${weighted}`,
    ['x', 'rstd', ...given(weighted, 'weight')],
    {},
    `return x[this.thread.y][this.thread.x] * rstd[this.thread.y] * ${scale(weighted)};`,
  ),
);

/** Σ g · weight · x of a row. */
const rmsDots = (weighted: boolean) =>
  reduceParts(
    'sum',
    ['xs', 'gs', ...given(weighted, 'weight')],
    `x * gs[this.thread.z][AT][this.thread.x]${weighted ? ' * weight[AT]' : ''}`,
    `rmsDots ${weighted}`,
  );

const rmsNormBackward = family((weighted: boolean) =>
  gpuKernel(
    `rmsNormBackward ${weighted}`,
    ['x', 'g', 'rstd', 'dots', ...given(weighted, 'weight')],
    { count: 'Float' },
    `const r = rstd[this.thread.y];
     const pull = r * r * dots[this.thread.y] / count;
     return r * (g[this.thread.y][this.thread.x] * ${scale(weighted)} - x[this.thread.y][this.thread.x] * pull);`,
  ),
);

/** Σrows g · x · rstd of a column. */
const rmsWeightGradient = reduceParts(
  'sum',
  ['xs', 'gs', 'rstd'],
  'x * gs[this.thread.z][AT][this.thread.x] * rstd[AT]',
  'rmsWeightGradient',
);

/** Σ (x − mean)² of a row. */
const centredSquares = reduceParts(
  'sum',
  ['xs', 'mean'],
  '(x - mean[this.thread.z]) * (x - mean[this.thread.z])',
  'centredSquares',
);

/** Σ (x − mean) of a row: what the mean is still off by, since a sum of large numbers is rounded. */
const centredSums = reduceParts('sum', ['xs', 'mean'], 'x - mean[this.thread.z]', 'centredSums');

const refinedMean = gpuKernel(
  'refinedMean',
  ['mean', 'sums'],
  { count: 'Float' },
  `if (Math.abs(mean[this.thread.x]) > 3.4028234e38) { return mean[this.thread.x]; }
   return mean[this.thread.x] + sums[this.thread.x] / count;`,
);

const layerNorm = family((weighted: boolean, biased: boolean) =>
  gpuKernel(
    `layerNorm ${weighted} ${biased}`,
    ['x', 'mean', 'rstd', ...given(weighted, 'weight'), ...given(biased, 'bias')],
    {},
    `return (x[this.thread.y][this.thread.x] - mean[this.thread.y]) * rstd[this.thread.y] * ${scale(weighted)} +
       ${biased ? 'bias[this.thread.x]' : '0.0'};`,
  ),
);

/** Σ w of a row, w = g · weight. */
const layerSums = (weighted: boolean) =>
  reduceParts('sum', ['gs', ...given(weighted, 'weight')], weighted ? 'x * weight[AT]' : 'x', `layerSums ${weighted}`);

/** Σ w · n of a row, n = (x − mean) · rstd. */
const layerDots = (weighted: boolean) =>
  reduceParts(
    'sum',
    ['xs', 'gs', 'mean', 'rstd', ...given(weighted, 'weight')],
    `gs[this.thread.z][AT][this.thread.x]${weighted ? ' * weight[AT]' : ''} * ((x - mean[this.thread.z]) * rstd[this.thread.z])`,
    `layerDots ${weighted}`,
  );

const layerNormBackward = family((weighted: boolean) =>
  gpuKernel(
    `layerNormBackward ${weighted}`,
    ['x', 'g', 'mean', 'rstd', 'sums', 'dots', ...given(weighted, 'weight')],
    { count: 'Float' },
    `const r = rstd[this.thread.y];
     const n = (x[this.thread.y][this.thread.x] - mean[this.thread.y]) * r;
     const w = g[this.thread.y][this.thread.x] * ${scale(weighted)};
     return r * (w - sums[this.thread.y] / count - n * dots[this.thread.y] / count);`,
  ),
);

/** Σrows g · n of a column. */
const layerWeightGradient = reduceParts(
  'sum',
  ['xs', 'gs', 'mean', 'rstd'],
  'gs[this.thread.z][AT][this.thread.x] * ((x - mean[AT]) * rstd[AT])',
  'layerWeightGradient',
);

/** Normalizations: see kernels/normalization.ts for the contract. */
export function normalizationKernels(launcher: Launcher): NormalizationKernels {
  /** Adds a sum over rows, of each column, to what is there. */
  const addColumns = (
    reduction: ReturnType<typeof reduceParts>,
    y: DeviceBuffer,
    inputs: readonly LaunchInput[],
    rows: number,
    cols: number,
  ) =>
    launcher.withScratch(cols, (sum) => {
      reduceAll(launcher, reduction, sum, inputs, 1, rows, cols);
      launcher.launch(addTo, y, cols, [sum, y]);
    });

  return {
    ...channelKernels(launcher),

    rmsNorm(x, weight, y, rstd, rows, cols, eps) {
      launcher.withScratch(rows, (sums) => {
        reduceAll(launcher, SUM_SQUARES, sums, [view(x, 1, cols, rows)], rows, cols, 1);
        launcher.launch(inverseRoot, rstd, rows, [sums], [cols, eps]);
      });
      launcher.launch(rmsNorm(weight !== null), y, [cols, rows, 1], [view(x, cols, rows), rstd, ...present(weight)]);
    },

    rmsNormBackward(x, weight, rstd, g, dx, dweight, rows, cols) {
      if (dweight) {
        addColumns(rmsWeightGradient, dweight, [view(x, cols, rows), view(g, cols, rows), rstd], rows, cols);
      }
      launcher.withScratch(rows, (dots) => {
        const along = [view(x, 1, cols, rows), view(g, 1, cols, rows), ...present(weight)];
        reduceAll(launcher, rmsDots(weight !== null), dots, along, rows, cols, 1);
        const inputs = [view(x, cols, rows), view(g, cols, rows), rstd, dots, ...present(weight)];
        launcher.launch(rmsNormBackward(weight !== null), dx, [cols, rows, 1], inputs, [cols]);
      });
    },

    layerNorm(x, weight, bias, y, mean, rstd, rows, cols, eps) {
      const along = view(x, 1, cols, rows);
      launcher.withScratch(rows, (sums) => {
        reduceAll(launcher, SUM, sums, [along], rows, cols, 1);
        launcher.launch(meanOf, mean, rows, [sums], [cols]);
        reduceAll(launcher, centredSums, sums, [along, mean], rows, cols, 1);
        launcher.launch(refinedMean, mean, rows, [mean, sums], [cols]);
        reduceAll(launcher, centredSquares, sums, [along, mean], rows, cols, 1);
        launcher.launch(inverseRoot, rstd, rows, [sums], [cols, eps]);
      });
      const inputs = [view(x, cols, rows), mean, rstd, ...present(weight), ...present(bias)];
      launcher.launch(layerNorm(weight !== null, bias !== null), y, [cols, rows, 1], inputs);
    },

    layerNormBackward(x, weight, mean, rstd, g, dx, dweight, dbias, rows, cols) {
      const [xs, gs] = [view(x, cols, rows), view(g, cols, rows)];
      if (dweight) addColumns(layerWeightGradient, dweight, [xs, gs, mean, rstd], rows, cols);
      if (dbias) addColumns(SUM, dbias, [gs], rows, cols);
      launcher.withScratch(rows, (sums) => {
        const along = [view(g, 1, cols, rows), ...present(weight)];
        reduceAll(launcher, layerSums(weight !== null), sums, along, rows, cols, 1);
        launcher.withScratch(rows, (dots) => {
          const both = [view(x, 1, cols, rows), view(g, 1, cols, rows), mean, rstd, ...present(weight)];
          reduceAll(launcher, layerDots(weight !== null), dots, both, rows, cols, 1);
          const inputs = [xs, gs, mean, rstd, sums, dots, ...present(weight)];
          launcher.launch(layerNormBackward(weight !== null), dx, [cols, rows, 1], inputs, [cols]);
        });
      });
    },
  };
}
