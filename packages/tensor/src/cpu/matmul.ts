import type { MatmulArguments, MatmulKernels } from '../kernels/matmul.js';
import type { FourBitWeight } from '../kernels/quantization.js';
import { type BlasSource, fitsBlas, NO_BLAS, runBlas } from './blas.js';
import { address, liveBuffer } from './buffer.js';
import { floatBits } from './call.js';
import { putInTiles } from './code-tiles.js';
import { ELEMENT, LOOK_UP, MULTIPLY_ADD, TABLE } from './cost.js';
import { type Engine, pointer } from './engine.js';
import { FOUR_BIT_TYPES, weightWords } from './four-bit.js';

/** `bType` in assembly/matmul-call.ts. */
const STORAGE = { float32: 0, float16: 1, bfloat16: 2 } as const;
const FOUR_BIT = 3;
const CHUNK = 64; // inputs that share tables: see assembly/lookup-tables.ts

export function matmulKernels(engine: Engine, blas: BlasSource = NO_BLAS): MatmulKernels {
  return {
    matmul(given) {
      const args = foldBatch(given);
      const library = args.bDtype === 'float32' && fitsBlas(args) ? blas.get() : null;
      if (library) return runBlas(library, engine, args);
      const storage = STORAGE[args.bDtype as keyof typeof STORAGE];
      runMatmul(engine, args, engine.metadata(matmulCall(args, storage, pointer(args.b))));
    },
  };
}

/** One product whose b is a 4-bit weight. */
export function matmulFourBit(
  engine: Engine,
  args: Omit<MatmulArguments, 'b' | 'bDtype'>,
  weight: FourBitWeight,
): void {
  const { exports } = engine;
  const { m, n, k } = args;
  const words = weightWords(weight, address(weight.packed)); // the same in either order of the codes
  const call = engine.metadata([...matmulCall(args, FOUR_BIT, 0), ...words]);
  const units = exports.lookUpUnits(call);
  if (units === 0) {
    liveBuffer(weight.packed).order?.restore();
    runMatmul(engine, args, call);
    return;
  }
  putInTiles(engine, weight.packed, n, k / 2);
  const rowTables = exports.tablesBytes(k);
  const tables = engine.workspace(m * rowTables);
  for (let i = 0; i < m; i++) {
    const x = pointer(args.a) + 4 * i * k;
    engine.run('fillTables', [FOUR_BIT_TYPES[weight.type], x, k, tables + i * rowTables], k / CHUNK, CHUNK * TABLE);
  }
  engine.run('lookUpProduct', [call, tables], units, (m * n * k * LOOK_UP) / units);
}

/** `call` points to the words of the arguments. Few rows take as long as it takes to read b, many as long as it takes to multiply. */
function runMatmul(
  engine: Engine,
  { batch, m, n, k }: Pick<MatmulArguments, 'batch' | 'm' | 'n' | 'k'>,
  call: number,
): void {
  const { exports } = engine;
  const units = exports.matmulUnits(call);
  const nanoseconds = batch * n * k * Math.max(m * MULTIPLY_ADD, 1.5 * ELEMENT);
  engine.run('matmul', [call], units, nanoseconds / units, exports.matmulScratch(call));
}

/** The words of `MatmulCall` in assembly/matmul-call.ts. */
function matmulCall(args: Omit<MatmulArguments, 'b' | 'bDtype'>, storage: number, b: number): number[] {
  return [
    pointer(args.a),
    b,
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
  ];
}

/** A batch that shares b and whose rows of a follow each other is one taller product: b is packed once. */
function foldBatch(args: MatmulArguments): MatmulArguments {
  const { batch, m, k } = args;
  if (batch < 2 || args.transposeA || args.bStride !== 0 || args.aStride !== m * k) return args;
  return { ...args, batch: 1, m: batch * m };
}
