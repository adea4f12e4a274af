import type { NormalizationKernels } from '../kernels/normalization.js';
import { ELEMENT } from './cost.js';
import { type Engine, pointer } from './engine.js';

const CHUNK_ROWS = 64; // CHUNK_ROWS in assembly/rms-norm.ts

/** Normalisations: see kernels/normalization.ts for the contract, assembly/{rms,layer,channel}-norm.ts for the work. */
export function normalizationKernels(engine: Engine): NormalizationKernels {
  /** Adds the column sums of `partial` to `sums`. */
  const addColumnSums = (partial: number, sums: number, rows: number, cols: number) =>
    engine.run('addColumnSums', [partial, sums, rows, cols], cols, 20 * rows * ELEMENT);
  return {
    rmsNorm(x, weight, y, rstd, rows, cols, eps) {
      const args = [pointer(x), pointer(weight), pointer(y), pointer(rstd), cols, eps] as const;
      engine.run('rmsNorm', [...args], rows, 7 * cols * ELEMENT);
    },

    rmsNormBackward(x, weight, rstd, g, dx, dweight, rows, cols) {
      const chunks = Math.ceil(rows / CHUNK_ROWS);
      const partial = dweight ? engine.workspace(chunks * cols * 4) : 0;
      const args = [pointer(x), pointer(weight), pointer(rstd), pointer(g), pointer(dx), partial, rows, cols] as const;
      engine.run('rmsNormBackward', [...args], chunks, 20 * CHUNK_ROWS * cols * ELEMENT);
      if (dweight) addColumnSums(partial, pointer(dweight), chunks, cols);
    },

    layerNorm(x, weight, bias, y, mean, rstd, rows, cols, eps) {
      const inputs = [pointer(x), pointer(weight), pointer(bias)] as const;
      const args = [...inputs, pointer(y), pointer(mean), pointer(rstd), cols, eps] as const;
      engine.run('layerNorm', [...args], rows, 14 * cols * ELEMENT);
    },

    layerNormBackward(x, weight, mean, rstd, g, dx, dweight, dbias, rows, cols) {
      const chunks = Math.ceil(rows / CHUNK_ROWS);
      const bytes = chunks * cols * 4;
      const partial = dweight || dbias ? engine.workspace(2 * bytes) : 0;
      const inputs = [pointer(x), pointer(weight), pointer(mean), pointer(rstd), pointer(g)] as const;
      const sums = [dweight ? partial : 0, dbias ? partial + bytes : 0] as const;
      const args = [...inputs, pointer(dx), ...sums, rows, cols] as const;
      engine.run('layerNormBackward', [...args], chunks, 30 * CHUNK_ROWS * cols * ELEMENT);
      if (dweight) addColumnSums(partial, pointer(dweight), chunks, cols);
      if (dbias) addColumnSums(partial + bytes, pointer(dbias), chunks, cols);
    },

    channelMoments(x, mean, variance, batch, channels, length) {
      const args = [pointer(x), pointer(mean), pointer(variance), batch, channels, length] as const;
      engine.run('channelMoments', [...args], channels, 3 * batch * length * ELEMENT);
    },

    channelNorm(x, mean, variance, weight, bias, y, batch, channels, length, eps) {
      const moments = [pointer(mean), pointer(variance)] as const;
      const parameters = [pointer(weight), pointer(bias)] as const;
      const args = [pointer(x), ...moments, ...parameters, pointer(y), batch, channels, length, eps] as const;
      engine.run('channelNorm', [...args], channels, 8 * batch * length * ELEMENT);
    },

    channelNormBackward(x, mean, variance, weight, g, dx, dweight, dbias, batch, channels, length, eps, batchMoments) {
      const inputs = [pointer(x), pointer(mean), pointer(variance), pointer(weight), pointer(g)] as const;
      const outputs = [pointer(dx), pointer(dweight), pointer(dbias)] as const;
      const args = [...inputs, ...outputs, batch, channels, length, eps, batchMoments] as const;
      engine.run('channelNormBackward', [...args], channels, 16 * batch * length * ELEMENT);
    },
  };
}
