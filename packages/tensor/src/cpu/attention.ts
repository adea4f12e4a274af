import type {
  AttentionArguments,
  AttentionGradients,
  AttentionKernels,
  HeadStrides,
  RopeArguments,
} from '../kernels/attention.js';
import { floatBits } from './call.js';
import { type Engine, pointer } from './engine.js';

export function attentionKernels(engine: Engine): AttentionKernels {
  const { exports } = engine;
  return {
    attention(args) {
      const call = engine.metadata(attentionCall(args, null));
      exports.attention(call, 0, exports.attentionUnits(call), engine.workspace(exports.attentionScratch(call)));
    },

    attentionBackward(args, gradients) {
      const call = engine.metadata(attentionCall(args, gradients));
      const scratch = engine.workspace(exports.attentionBackwardScratch(call));
      exports.attentionBackward(call, 0, exports.attentionBackwardUnits(call), scratch);
    },

    rope(args) {
      exports.rope(engine.metadata(ropeCall(args)), 0, args.batch * args.tokens);
    },
  };
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
