import type { AttentionArguments, AttentionGradients } from '../kernels/attention.js';
import { MemoryError } from '../memory.js';
import { blockPointer } from './allocator.js';
import type { Blas } from './blas.node.js';
import { BLAS_MULTIPLY_ADD, ELEMENT, FUNCTION } from './cost.js';
import type { Engine } from './engine.js';

// Attention with its products made by a BLAS: see assembly/attention-strip.ts. `call` points to the words of its arguments.

/**
 * From here on strips are faster than our own blocks. Two threads, forward and backward, heads of 64: 32 queries by 32 keys 1.1
 * to 1.2 times, 128 by 128 1.3 to 1.8, 256 by 256 1.5 to 1.9, 8 by 1024 1.4 to 1.6. 32 by 32 in heads of 32: 0.8 to 0.9.
 */
const LEAST_WORK = 2 ** 16; // multiply-adds of a head's scores
const LEAST_SIDE = 8; // of queries, and of a head's width: with less, a product is too little work for its call
const LEAST_KEYS = 16;

/** Whether attention is large enough for strips. A gradient of the bias may be one for all heads: that is left to blocks. */
export function fitsStrips(args: AttentionArguments, gradients: AttentionGradients | null): boolean {
  const { batch, heads, queries, keys, headDim, valueDim, qStrides, kStrides, vStrides, outStrides } = args;
  if (batch * heads === 0) return false; // no strips to share out
  if (gradients?.dbias || keys < LEAST_KEYS || Math.min(queries, headDim, valueDim) < LEAST_SIDE) return false;
  if (queries * keys * Math.min(headDim, valueDim) < LEAST_WORK) return false;
  return Math.min(qStrides.token, kStrides.token) >= headDim && Math.min(vStrides.token, outStrides.token) >= valueDim;
}

export function stripAttention(engine: Engine, blas: Blas, args: AttentionArguments, call: number): void {
  const { exports } = engine;
  engine.connectBlas(blas);
  const units = exports.attentionStripsUnits(call);
  engine.run('attentionStrips', [call], units, stripCost(args, 2) / units, exports.attentionStripsScratch());
}

export function stripAttentionBackward(engine: Engine, blas: Blas, args: AttentionArguments, call: number): void {
  const { exports } = engine;
  engine.connectBlas(blas);
  const units = exports.attentionStripsBackwardUnits(call);
  const sumBytes = exports.attentionStripsSums(call);
  withBlock(engine, sumBytes, (sums) => {
    const scratchBytes = exports.attentionStripsBackwardScratch();
    engine.run('attentionStripsBackward', [call, sums], units, stripCost(args, 5) / units, scratchBytes);
    if (sumBytes === 0) return;
    const { batch, kvHeads, keys, headDim, valueDim } = args;
    const parts = units / (batch * kvHeads);
    const unitCost = parts * (headDim + valueDim) * ELEMENT;
    engine.run('attentionStripsSum', [call, sums], batch * kvHeads * keys, unitCost);
  });
}

/** Nanoseconds of a pass with so many products of a head's size. */
function stripCost({ batch, heads, queries, keys, headDim, valueDim }: AttentionArguments, products: number): number {
  return batch * heads * queries * keys * (products * Math.max(headDim, valueDim) * BLAS_MULTIPLY_ADD + FUNCTION);
}

/** Memory for one call, besides the scratch of each thread. */
function withBlock(engine: Engine, byteLength: number, body: (at: number) => void): void {
  if (byteLength === 0) {
    body(0);
    return;
  }
  const block = engine.allocator.allocate(byteLength);
  if (block === null)
    throw new MemoryError(`cpu: no room for ${byteLength} bytes of sums in attention; make batches smaller`);
  try {
    body(blockPointer(block));
  } finally {
    engine.allocator.release(block);
  }
}
