import type { DType } from '../dtype.js';
import type { MatmulArguments, MatmulKernels } from '../kernels/matmul.js';
import { floatBits } from './call.js';
import { type Engine, pointer } from './engine.js';

/** `bType` in assembly/matmul-call.ts. */
const STORAGE: Readonly<Partial<Record<DType, number>>> = { float32: 0, float16: 1, bfloat16: 2 };

export function matmulKernels(engine: Engine): MatmulKernels {
  const { exports } = engine;
  return {
    matmul(args) {
      const call = engine.metadata(matmulCall(foldBatch(args)));
      exports.matmul(call, 0, exports.matmulUnits(call), engine.workspace(exports.matmulScratch(call)));
    },
  };
}

/** The words of `MatmulCall` in assembly/matmul-call.ts. */
function matmulCall(args: MatmulArguments): number[] {
  const storage = STORAGE[args.bDtype];
  if (storage === undefined) {
    throw new TypeError(`matmul: b must be float32, float16 or bfloat16, got ${args.bDtype}`);
  }
  return [
    pointer(args.a),
    pointer(args.b),
    storage,
    pointer(args.y),
    pointer(args.bias),
    args.batch,
    args.m,
    args.n,
    args.k,
    Number(args.transposeA),
    Number(args.transposeB),
    args.aStride,
    args.bStride,
    floatBits(args.alpha),
    Number(args.accumulate),
    0, // no 4-bit weight
  ];
}

/** A batch that shares b and whose rows of a follow each other is one taller product: b is packed once. */
function foldBatch(args: MatmulArguments): MatmulArguments {
  const { batch, m, k } = args;
  if (batch < 2 || args.transposeA || args.bStride !== 0 || args.aStride !== m * k) return args;
  return { ...args, batch: 1, m: batch * m };
}
