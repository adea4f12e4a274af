import type { NormalizationKernels } from '../kernels/normalization.js';
import { channelNormKernels } from './channel-norm.js';
import { ELEMENT } from './cost.js';
import { type Engine, pointer } from './engine.js';

const CHUNK_ROWS = 64; // CHUNK_ROWS in assembly/rms-norm.ts

/** Normalisations: see kernels/normalization.ts for the contract, assembly/{rms,layer}-norm.ts for the work. */
export function normalizationKernels(engine: Engine): NormalizationKernels {
  /** Adds the column sums of `partial` to `sums`. */
  const addColumnSums = (partial: number, sums: number, rows: number, cols: number) =>
    engine.run('addColumnSums', [partial, sums, rows, cols], cols, 20 * rows * ELEMENT);
  return {
    rmsNorm(x, weight, y, rstd, rows, cols, eps) {
      engine.run(
        'rmsNorm',
        [pointer(x), pointer(weight), pointer(y), pointer(rstd), cols, eps],
        rows,
        7 * cols * ELEMENT,
      );
    },

    rmsNormBackward(x, weight, rstd, g, dx, dweight, rows, cols) {
      const chunks = Math.ceil(rows / CHUNK_ROWS);
      const partial = dweight ? engine.workspace(chunks * cols * 4) : 0;
      engine.run(
        'rmsNormBackward',
        [pointer(x), pointer(weight), pointer(rstd), pointer(g), pointer(dx), partial, rows, cols],
        chunks,
        20 * CHUNK_ROWS * cols * ELEMENT,
      );
      if (dweight) addColumnSums(partial, pointer(dweight), chunks, cols);
    },

    layerNorm(x, weight, bias, y, mean, rstd, rows, cols, eps) {
      engine.run(
        'layerNorm',
        [pointer(x), pointer(weight), pointer(bias), pointer(y), pointer(mean), pointer(rstd), cols, eps],
        rows,
        14 * cols * ELEMENT,
      );
    },

    layerNormBackward(x, weight, mean, rstd, g, dx, dweight, dbias, rows, cols) {
      const chunks = Math.ceil(rows / CHUNK_ROWS);
      const bytes = chunks * cols * 4;
      const partial = dweight || dbias ? engine.workspace(2 * bytes) : 0;
      engine.run(
        'layerNormBackward',
        [
          pointer(x),
          pointer(weight),
          pointer(mean),
          pointer(rstd),
          pointer(g),
          pointer(dx),
          dweight ? partial : 0,
          dbias ? partial + bytes : 0,
          rows,
          cols,
        ],
        chunks,
        30 * CHUNK_ROWS * cols * ELEMENT,
      );
      if (dweight) addColumnSums(partial, pointer(dweight), chunks, cols);
      if (dbias) addColumnSums(partial + bytes, pointer(dbias), chunks, cols);
    },

    ...channelNormKernels(engine),
  };
}
