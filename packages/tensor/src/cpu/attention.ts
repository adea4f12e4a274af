import type {
  AttentionArguments,
  AttentionGradients,
  AttentionKernels,
  HeadStrides,
  RopeArguments,
} from '../kernels/attention.js';
import { fitsStrips, stripAttention, stripAttentionBackward } from './attention-blas.js';
import { type BlasSource, NO_BLAS } from './blas.js';
import { floatBits } from './call.js';
import { ELEMENT, FUNCTION, MULTIPLY_ADD } from './cost.js';
import { type Engine, pointer } from './engine.js';

export function attentionKernels(engine: Engine, blas: BlasSource = NO_BLAS): AttentionKernels {
  const { exports } = engine;
  return {
    attention(args) {
      const call = engine.metadata(attentionCall(args, null));
      const library = fitsStrips(args, null) ? blas.get() : null;
      if (library) return stripAttention(engine, library, args, call);
      const units = exports.attentionUnits(call);
      engine.run('attention', [call], units, attentionCost(args) / units, exports.attentionScratch(call));
    },

    attentionBackward(args, gradients) {
      const call = engine.metadata(attentionCall(args, gradients));
      const library = fitsStrips(args, gradients) ? blas.get() : null;
      if (library) return stripAttentionBackward(engine, library, args, call);
      const units = exports.attentionBackwardUnits(call);
      const unitCost = (2 * attentionCost(args)) / units;
      engine.run('attentionBackward', [call], units, unitCost, exports.attentionBackwardScratch(call));
    },

    rope(args) {
      const unitCost = 3 * ELEMENT * args.heads * args.headDim;
      engine.run('rope', [engine.metadata(ropeCall(args))], args.batch * args.tokens, unitCost);
    },
  };
}

/** Nanoseconds of the forward pass: two products and an exponential for each pair of tokens. */
function attentionCost({ batch, heads, queries, keys, headDim, valueDim }: AttentionArguments): number {
  return batch * heads * queries * keys * ((headDim + valueDim) * MULTIPLY_ADD + FUNCTION);
}

/** The words of `AttentionCall` in assembly/attention-call.ts. */
function attentionCall(args: AttentionArguments, gradients: AttentionGradients | null): number[] {
  const { stream } = args;
  return [
    pointer(args.q),
    pointer(args.k),
    pointer(args.v),
    pointer(args.out),
    pointer(args.lse),
    ...strideWords(args.qStrides),
    ...strideWords(args.kStrides),
    ...strideWords(args.vStrides),
    ...strideWords(args.outStrides),
    args.batch,
    args.heads,
    args.kvHeads,
    args.queries,
    args.keys,
    args.headDim,
    args.valueDim,
    floatBits(args.scale),
    windowWord(args.windowLeft),
    windowWord(args.windowRight),
    args.queryOffset,
    pointer(args.keyMask),
    pointer(args.querySegments),
    pointer(args.keySegments),
    pointer(args.bias),
    ...strideWords(args.biasStrides),
    floatBits(stream ? args.dropout : 0),
    stream?.seedLow ?? 0,
    stream?.seedHigh ?? 0,
    stream?.offsetLow ?? 0,
    stream?.offsetHigh ?? 0,
    pointer(gradients?.g ?? null),
    pointer(gradients?.dq ?? null),
    pointer(gradients?.dk ?? null),
    pointer(gradients?.dv ?? null),
    pointer(gradients?.dbias ?? null),
  ];
}

/** The words of `RopeCall` in assembly/rope.ts. */
function ropeCall(args: RopeArguments): number[] {
  return [
    pointer(args.x),
    pointer(args.y),
    pointer(args.positions),
    pointer(args.cos),
    pointer(args.sin),
    ...strideWords(args.strides),
    args.heads,
    args.tokens,
    args.headDim,
    args.rotaryDim,
    Number(args.interleaved),
    Number(args.inverse),
  ];
}

function strideWords(strides: HeadStrides): [number, number, number] {
  return [strides.batch, strides.head, strides.token];
}

/** A window so wide that positions plus its width would not fit 32 bits is as good as 2³⁰. */
function windowWord(width: number): number {
  return Math.min(width, 2 ** 30);
}
