import type { NormalizationKernels } from '../kernels/normalization.js';
import { type Engine, pointer } from './engine.js';

const CHUNK_ROWS = 64; // CHUNK_ROWS in assembly/rms-norm.ts

/** Normalisations: see kernels/normalization.ts for the contract, assembly/{rms,layer,channel}-norm.ts for the work. */
export function normalizationKernels(engine: Engine): NormalizationKernels {
  const wasm = engine.exports;
  return {
    rmsNorm(x, weight, y, rstd, rows, cols, eps) {
      wasm.rmsNorm(pointer(x), pointer(weight), pointer(y), pointer(rstd), cols, eps, 0, rows);
    },

    rmsNormBackward(x, weight, rstd, g, dx, dweight, rows, cols) {
      const chunks = Math.ceil(rows / CHUNK_ROWS);
      const partial = dweight ? engine.workspace(chunks * cols * 4) : 0;
      wasm.rmsNormBackward(
        pointer(x),
        pointer(weight),
        pointer(rstd),
        pointer(g),
        pointer(dx),
        partial,
        rows,
        cols,
        0,
        chunks,
      );
      if (dweight) wasm.addColumnSums(partial, pointer(dweight), chunks, cols, 0, cols);
    },

    layerNorm(x, weight, bias, y, mean, rstd, rows, cols, eps) {
      const parameters = [pointer(weight), pointer(bias)] as const;
      wasm.layerNorm(pointer(x), ...parameters, pointer(y), pointer(mean), pointer(rstd), cols, eps, 0, rows);
    },

    layerNormBackward(x, weight, mean, rstd, g, dx, dweight, dbias, rows, cols) {
      const chunks = Math.ceil(rows / CHUNK_ROWS);
      const bytes = chunks * cols * 4;
      const partial = dweight || dbias ? engine.workspace(2 * bytes) : 0;
      wasm.layerNormBackward(
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
        0,
        chunks,
      );
      if (dweight) wasm.addColumnSums(partial, pointer(dweight), chunks, cols, 0, cols);
      if (dbias) wasm.addColumnSums(partial + bytes, pointer(dbias), chunks, cols, 0, cols);
    },

    channelMoments(x, mean, variance, batch, channels, length) {
      wasm.channelMoments(pointer(x), pointer(mean), pointer(variance), batch, channels, length, 0, channels);
    },

    channelNorm(x, mean, variance, weight, bias, y, batch, channels, length, eps) {
      wasm.channelNorm(
        pointer(x),
        pointer(mean),
        pointer(variance),
        pointer(weight),
        pointer(bias),
        pointer(y),
        batch,
        channels,
        length,
        eps,
        0,
        channels,
      );
    },

    channelNormBackward(x, mean, variance, weight, g, dx, dweight, dbias, batch, channels, length, eps, batchMoments) {
      wasm.channelNormBackward(
        pointer(x),
        pointer(mean),
        pointer(variance),
        pointer(weight),
        pointer(g),
        pointer(dx),
        pointer(dweight),
        pointer(dbias),
        batch,
        channels,
        length,
        eps,
        batchMoments,
        0,
        channels,
      );
    },
  };
}
