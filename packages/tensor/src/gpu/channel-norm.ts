import type { DeviceBuffer } from '../device.js';
import type { NormalizationKernels } from '../kernels/normalization.js';
import { family, gpuKernel } from './kernel.js';
import { type Launcher, type Scratch, view } from './launcher.js';
import { addTo, meanOf, present } from './small.js';
import { reduceAll, reduceParts, SUM } from './staged.js';

/** `[batch, channels, length]` as `[channels, batch, length]`: each channel is a row. */
const byChannel = gpuKernel('byChannel', ['x'], {}, 'return x[this.thread.y][this.thread.z][this.thread.x];');

const squares = reduceParts(
  'sum',
  ['xs', 'mean'],
  '(x - mean[this.thread.z]) * (x - mean[this.thread.z])',
  'channelSquares',
);

/** Σ g · (x − mean) of a channel. */
const dotsOf = reduceParts(
  'sum',
  ['xs', 'gs', 'mean'],
  'gs[this.thread.z][AT][this.thread.x] * (x - mean[this.thread.z])',
  'channelDots',
);

const channelNorm = family((weighted: boolean, biased: boolean) =>
  gpuKernel(
    `channelNorm ${weighted} ${biased}`,
    ['x', 'mean', 'variance', ...(weighted ? ['weight'] : []), ...(biased ? ['bias'] : [])],
    { eps: 'Float' },
    `const r = 1 / Math.sqrt(variance[this.thread.y] + eps);
     const n = (x[this.thread.z][this.thread.y][this.thread.x] - mean[this.thread.y]) * r;
     return n * ${weighted ? 'weight[this.thread.y]' : '1.0'} + ${biased ? 'bias[this.thread.y]' : '0.0'};`,
  ),
);

const channelNormBackward = family((weighted: boolean, batchMoments: boolean) =>
  gpuKernel(
    `channelNormBackward ${weighted} ${batchMoments}`,
    ['x', 'g', 'mean', 'variance', 'sums', 'dots', ...(weighted ? ['weight'] : [])],
    { count: 'Float', eps: 'Float' },
    `const r = 1 / Math.sqrt(variance[this.thread.y] + eps);
     const n = (x[this.thread.z][this.thread.y][this.thread.x] - mean[this.thread.y]) * r;
     let pull = 0.0;
     ${batchMoments ? 'pull = (sums[this.thread.y] + n * (dots[this.thread.y] * r)) / count;' : ''}
     return ${weighted ? 'weight[this.thread.y]' : '1.0'} * r * (g[this.thread.z][this.thread.y][this.thread.x] - pull);`,
  ),
);

/** dweight: dots · r, added to what is there. */
const weightGradient = gpuKernel(
  'channelWeightGradient',
  ['dots', 'variance', 'y'],
  { eps: 'Float' },
  'return y[this.thread.x] + dots[this.thread.x] / Math.sqrt(variance[this.thread.x] + eps);',
);

type ChannelKernels = Pick<NormalizationKernels, 'channelMoments' | 'channelNorm' | 'channelNormBackward'>;

/** What BatchNorm needs: see kernels/normalization.ts for the contract. */
export function channelKernels(launcher: Launcher): ChannelKernels {
  /** A transposed copy, for as long as `body` runs. */
  const withRows = (
    x: DeviceBuffer,
    [batch, channels, length]: readonly [number, number, number],
    body: (rows: Scratch) => void,
  ) =>
    launcher.withScratch(batch * channels * length, (rows) => {
      launcher.launch(byChannel, rows, [length, batch, channels], [view(x, length, channels, batch)]);
      body(rows);
    });

  return {
    channelMoments(x, mean, variance, batch, channels, length) {
      const count = batch * length;
      withRows(x, [batch, channels, length], (rows) => {
        const along = view(rows, 1, count, channels);
        launcher.withScratch(channels, (sums) => {
          reduceAll(launcher, SUM, sums, [along], channels, count, 1);
          launcher.launch(meanOf, mean, channels, [sums], [count]);
          reduceAll(launcher, squares, sums, [along, mean], channels, count, 1);
          launcher.launch(meanOf, variance, channels, [sums], [count]);
        });
      });
    },

    channelNorm(x, mean, variance, weight, bias, y, batch, channels, length, eps) {
      const inputs = [view(x, length, channels, batch), mean, variance, ...present(weight), ...present(bias)];
      const kernel = channelNorm(weight !== null, bias !== null);
      launcher.launch(kernel, y, [length, channels, batch], inputs, [eps]);
    },

    channelNormBackward(
      ...[x, mean, variance, weight, g, dx, dweight, dbias, batch, channels, length, eps, batchMoments]
    ) {
      const count = batch * length;
      const shape = [batch, channels, length] as const;
      withRows(x, shape, (xRows) =>
        withRows(g, shape, (gRows) =>
          launcher.withScratch(channels, (sums) =>
            launcher.withScratch(channels, (dots) => {
              const [xs, gs] = [view(xRows, 1, count, channels), view(gRows, 1, count, channels)];
              reduceAll(launcher, SUM, sums, [gs], channels, count, 1);
              reduceAll(launcher, dotsOf, dots, [xs, gs, mean], channels, count, 1);
              if (dweight) launcher.launch(weightGradient, dweight, channels, [dots, variance, dweight], [eps]);
              if (dbias) launcher.launch(addTo, dbias, channels, [sums, dbias]);
              const whole = [view(x, length, channels, batch), view(g, length, channels, batch)];
              const inputs = [...whole, mean, variance, sums, dots, ...present(weight)];
              const kernel = channelNormBackward(weight !== null, batchMoments);
              launcher.launch(kernel, dx, [length, channels, batch], inputs, [count, eps]);
            }),
          ),
        ),
      );
    },
  };
}
