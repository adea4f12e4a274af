import type { NormalizationKernels } from '../kernels/normalization.js';
import { ELEMENT } from './cost.js';
import { type Engine, pointer } from './engine.js';

/** From this length on, the neighbours of a channel fill the lanes. */
const LONG = 16;
const STRIP = 16; // channels: STRIP in assembly/column-norm.ts
/** Bytes of work a column, as in assembly/column-norm.ts. */
const MOMENTS_WORK = 12;
const NORM_WORK = 12;
const BACKWARD_WORK = 32;

/** Whether columns fill the lanes: for rows that are short, and enough of them to pay for what is laid out per column. */
const byColumns = (batch: number, length: number) => length < LONG && length <= batch;

/** Normalisations per channel: see kernels/normalization.ts for the contract, assembly/{channel,column}-norm.ts for the work. */
export function channelNormKernels(
  engine: Engine,
): Pick<NormalizationKernels, 'channelMoments' | 'channelNorm' | 'channelNormBackward'> {
  const workspace = (columns: number, bytes: number) => engine.workspace((columns + 3) * bytes); // in whole vectors
  return {
    channelMoments(x, mean, variance, batch, channels, length) {
      const arrays = [pointer(x), pointer(mean), pointer(variance)] as const;
      const sizes = [batch, channels, length] as const;
      if (byColumns(batch, length)) {
        const args = [...arrays, workspace(channels * length, MOMENTS_WORK), ...sizes] as const;
        engine.run('columnMoments', [...args], Math.ceil(channels / STRIP), 6 * batch * length * STRIP * ELEMENT);
      } else {
        engine.run('channelMoments', [...arrays, ...sizes], channels, 3 * batch * length * ELEMENT);
      }
    },

    channelNorm(x, mean, variance, weight, bias, y, batch, channels, length, eps) {
      const inputs = [pointer(x), pointer(mean), pointer(variance), pointer(weight), pointer(bias)] as const;
      const sizes = [batch, channels, length, eps] as const;
      if (byColumns(batch, length)) {
        const args = [...inputs, pointer(y), workspace(channels * length, NORM_WORK), ...sizes] as const;
        engine.run('columnNorm', [...args], Math.ceil(channels / STRIP), 4 * batch * length * STRIP * ELEMENT);
      } else {
        engine.run('channelNorm', [...inputs, pointer(y), ...sizes], channels, 8 * batch * length * ELEMENT);
      }
    },

    channelNormBackward(x, mean, variance, weight, g, dx, dweight, dbias, batch, channels, length, eps, batchMoments) {
      const inputs = [pointer(x), pointer(mean), pointer(variance), pointer(weight), pointer(g)] as const;
      const arrays = [...inputs, pointer(dx), pointer(dweight), pointer(dbias)] as const;
      const sizes = [batch, channels, length, eps, batchMoments] as const;
      if (byColumns(batch, length)) {
        const args = [...arrays, workspace(channels * length, BACKWARD_WORK), ...sizes] as const;
        engine.run('columnNormBackward', [...args], Math.ceil(channels / STRIP), 11 * batch * length * STRIP * ELEMENT);
      } else {
        engine.run('channelNormBackward', [...arrays, ...sizes], channels, 16 * batch * length * ELEMENT);
      }
    },
  };
}
