import { seededRandom } from '@burin/testing';
import { type BlasSource, NO_BLAS } from '../src/cpu/blas.js';
import { pointer } from '../src/cpu/buffer.js';
import type { Engine } from '../src/cpu/engine.js';
import { cpuMemory } from '../src/cpu/memory.js';
import { kernelTable } from '../src/cpu/table.js';
import type { DeviceBuffer } from '../src/device.js';
import type { DType } from '../src/dtype.js';
import type { AttentionArguments } from '../src/kernels/attention.js';
import type { BinaryOp, GateOp, UnaryOp } from '../src/kernels/elementwise.js';
import type { Kernels } from '../src/kernels/index.js';
import type { MatmulArguments } from '../src/kernels/matmul.js';
import type { ReduceOp } from '../src/kernels/reduction.js';

/** What a case works with: a kernel table, and buffers on its device that hold the same numbers in every run. */
export interface Bench {
  readonly kernels: Kernels;
  floats(size: number): DeviceBuffer;
  integers(size: number, low: number, high: number): DeviceBuffer;
  upload(array: Float32Array | Int32Array | Uint8Array): DeviceBuffer;
  empty(size: number): DeviceBuffer;
}

/** Runs the kernels of a group on small inputs of odd sizes. */
export type Case = (bench: Bench) => void;

/** All bytes of all buffers that a case has made, as `engine` leaves them, by its kernels and a BLAS where one is given. */
export function runCase(engine: Engine, run: Case, blas: BlasSource = NO_BLAS): Uint8Array {
  const memory = cpuMemory(engine.allocator);
  const random = seededRandom(1);
  const buffers: DeviceBuffer[] = [];
  const bytesOf = (buffer: DeviceBuffer) => new Uint8Array(engine.memory.buffer, pointer(buffer), buffer.byteLength);
  const upload = (array: Float32Array | Int32Array | Uint8Array) => {
    const buffer = memory.allocate(array.byteLength);
    bytesOf(buffer).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
    buffers.push(buffer);
    return buffer;
  };
  run({
    kernels: kernelTable(engine, blas),
    upload,
    floats: (size) => upload(random.uniform(size, -1, 1)),
    integers: (size, low, high) => upload(random.integers(size, low, high)),
    empty: (size) => upload(new Float32Array(size)),
  });
  const result = new Uint8Array(buffers.reduce((sum, { byteLength }) => sum + byteLength, 0));
  let at = 0;
  for (const buffer of buffers) {
    result.set(bytesOf(buffer), at);
    at += buffer.byteLength;
    memory.free(buffer);
  }
  return result;
}

const N = 1003;
const [ROWS, COLS] = [133, 37];
const STREAM = { seedLow: 1, seedHigh: 2, offsetLow: 3, offsetHigh: 4 };
const UNARY: UnaryOp[] = ['exp', 'relu', 'tanh', 'erf', 'geluErf', 'silu', 'mulScalar', 'powScalar', 'clampMin'];
const BINARY: BinaryOp[] = ['add', 'sub', 'mul', 'div', 'pow', 'maximum', 'minimum'];
const GATES: GateOp[] = ['silu', 'geluErf', 'geluTanh', 'relu', 'sigmoid'];
const REDUCTIONS: ReduceOp[] = ['sum', 'sumAbs', 'sumSquares', 'max', 'min', 'maxAbs'];
const DTYPES: DType[] = ['float32', 'float16', 'bfloat16', 'int32', 'uint8'];

const strides = (heads: number, tokens: number) => ({ batch: heads * tokens * 8, head: tokens * 8, token: 8 });

function attention({ floats, empty }: Bench): AttentionArguments {
  return {
    ...{ q: floats(2 * 4 * 70 * 8), k: floats(2 * 2 * 70 * 8), v: floats(2 * 2 * 70 * 8) },
    ...{ out: empty(2 * 4 * 70 * 8), lse: empty(2 * 4 * 70), scale: 0.3 },
    ...{ qStrides: strides(4, 70), kStrides: strides(2, 70), vStrides: strides(2, 70), outStrides: strides(4, 70) },
    ...{ batch: 2, heads: 4, kvHeads: 2, queries: 70, keys: 70, headDim: 8, valueDim: 8 },
    ...{ windowLeft: -1, windowRight: 0, queryOffset: 0, keyMask: null, querySegments: null, keySegments: null },
    ...{ bias: floats(2 * 70 * 70), biasStrides: { batch: 70 * 70, head: 0, token: 70 } },
    ...{ dropout: 0.2, stream: STREAM },
  };
}

function product({ kernels, floats }: Bench, shape: Partial<MatmulArguments>): void {
  kernels.matmul({
    ...{ a: floats(60_000), b: floats(400_000), bDtype: 'float32', y: floats(200_000), bias: floats(1000) },
    ...{ batch: 1, m: 130, n: 520, k: 300, transposeA: false, transposeB: false, aStride: 0, bStride: 0 },
    ...{ alpha: 0.5, accumulate: true, ...shape },
  });
}

/** Every kernel that takes a range, by name of its group. */
export const CASES: Readonly<Record<string, Case>> = {
  'a product of blocks': (bench) => product(bench, {}),
  'a product of blocks, both transposed': (bench) => product(bench, { transposeA: true, transposeB: true }),
  'a batch of products': (bench) => product(bench, { batch: 3, m: 33, n: 70, k: 50, aStride: 1650, bStride: 3500 }),
  'a product of one row': (bench) => product(bench, { m: 1, n: 1000, transposeB: true }),
  'a product of four rows': (bench) => product(bench, { m: 4, n: 1000 }),

  attention(bench) {
    const args = attention(bench);
    bench.kernels.attention(args);
    const like = (buffer: DeviceBuffer) => bench.empty(buffer.byteLength / 4);
    const gradients = { dq: like(args.q), dk: like(args.k), dv: like(args.v), dbias: like(args.bias!) };
    bench.kernels.attentionBackward(args, { g: bench.floats(args.out.byteLength / 4), ...gradients });
  },

  rope({ kernels, floats, empty, upload }) {
    const sizes = { batch: 2, heads: 3, tokens: 5, headDim: 8, rotaryDim: 8, tableRows: 5, strides: strides(3, 5) };
    const positions = upload(Int32Array.of(0, 1, 2, 3, 4, 4, 3, 2, 1, 0));
    const tables = { cos: floats(5 * 4), sin: floats(5 * 4), positions };
    kernels.rope({ x: floats(240), y: empty(240), ...tables, ...sizes, interleaved: false, inverse: false });
  },

  '4 bits there and back'({ kernels, floats, empty, upload }) {
    for (const type of ['nf4', 'fp4'] as const) {
      const [packed, absmax] = [upload(new Uint8Array(151)), empty(5)];
      kernels.quantize4bit(type, floats(301), packed, absmax, 301, 64);
      const nested = { absmaxCodes: null, nestedAbsmax: null, nestedCode: null, nestedOffset: 0, nestedBlockSize: 256 };
      const weight = { type, packed, size: 301, blockSize: 64, absmax, ...nested };
      kernels.dequantize4bit(weight, empty(301));
    }
  },

  'products of a few rows with 4 bits'({ kernels, floats, upload }) {
    const [n, k] = [144, 1216];
    const nested = { nestedAbsmax: null, nestedCode: null, nestedOffset: 0, nestedBlockSize: 256 };
    const packed = upload(new Uint8Array((n * k) / 2).map((_, i) => (i * 37) >> 3));
    const weight = { packed, size: n * k, blockSize: 64, absmax: floats((n * k) / 64), absmaxCodes: null, ...nested };
    for (const m of [1, 5, 6]) {
      kernels.matmul4bit(floats(m * k), { type: 'nf4', ...weight }, floats(n), floats(m * n), m, n, k, false, true);
      kernels.matmul4bit(floats(m * k), { type: 'fp4', ...weight }, null, floats(m * n), m, n, k, false, false);
    }
  },

  '4 bits in blocks of an odd size'({ kernels, floats, empty, upload }) {
    kernels.quantize4bit('nf4', floats(3001), upload(new Uint8Array(1501)), empty(429), 3001, 7);
    kernels.dequantize4bit(
      {
        ...{
          type: 'nf4',
          packed: upload(new Uint8Array(1501).fill(0x5a)),
          size: 3001,
          blockSize: 7,
          absmax: floats(429),
        },
        ...{ absmaxCodes: null, nestedAbsmax: null, nestedCode: null, nestedOffset: 0, nestedBlockSize: 256 },
      },
      empty(3001),
    );
  },

  'a copy onto itself'({ kernels, floats }) {
    const x = floats(100_000);
    kernels.copy(x, 0, x, 4, 399_996);
    kernels.fill('float32', floats(3), 1, 3);
  },

  '8 bits there and back'({ kernels, floats, empty, upload }) {
    const code = upload(Float32Array.from({ length: 256 }, (_, i) => (i - 128) / 128));
    const [codes, absmax] = [upload(new Uint8Array(301)), empty(5)];
    kernels.quantize8bit(floats(301), code, codes, absmax, 301, 64);
    kernels.dequantize8bit(codes, code, absmax, empty(301), 301, 64, 0.5);
  },

  'unary operations'({ kernels, floats, empty }) {
    for (const op of UNARY) {
      kernels.unary(op, floats(N), empty(N), N, 1.5);
      kernels.unaryBackward(op, floats(N), floats(N), empty(N), N, 1.5);
    }
  },

  'binary operations, broadcast'({ kernels, floats, empty, upload }) {
    const shape = [3, 5, 67];
    for (const op of BINARY) {
      kernels.binary(op, floats(N + 2), floats(N + 2), empty(N + 2), shape, [335, 67, 1], [335, 67, 1]);
      kernels.binary(op, floats(N + 2), floats(67), empty(N + 2), shape, [335, 67, 1], [0, 0, 1]);
      kernels.binary(op, floats(15), floats(N + 2), empty(N + 2), shape, [5, 1, 0], [1, 3, 15]);
    }
    const condition = upload(Uint8Array.from({ length: 15 }, (_, i) => i % 2));
    kernels.where(condition, floats(N + 2), floats(1), empty(N + 2), shape, [5, 1, 0], [335, 67, 1], [0, 0, 0]);
    kernels.addScaled(floats(N), floats(N), 0.3, N);
  },

  'gated units'({ kernels, floats, empty }) {
    for (const op of GATES) {
      kernels.gated(op, floats(N), floats(N), empty(N), N);
      kernels.gatedBackward(op, floats(N), floats(N), floats(N), empty(N), empty(N), N);
    }
  },

  casts({ kernels, floats, empty, upload }) {
    for (const to of DTYPES) kernels.cast(floats(N), 'float32', empty(N), to, N);
    for (const from of ['float16', 'bfloat16', 'int32', 'uint8'] as const) {
      for (const to of DTYPES) kernels.cast(upload(new Uint8Array(4 * N).fill(0x31)), from, empty(N), to, N);
    }
  },

  'copies and fills'({ kernels, floats, empty }) {
    for (const dtype of DTYPES) kernels.fill(dtype, empty(N), 3, N);
    kernels.copy(floats(N), 8, empty(N), 4, 4 * N - 8);
    kernels.gatherStrided(floats(ROWS * COLS), empty(ROWS * COLS), [COLS, ROWS], [1, COLS], 0, 4);
    kernels.gatherStrided(floats(ROWS * COLS), empty(ROWS * COLS), [COLS, ROWS], [1, COLS], 0, 2);
    kernels.scatterStrided(floats(ROWS * 8), empty(ROWS * COLS), [ROWS, 8], [COLS, 1], 5, 4);
  },

  'rows of a table'({ kernels, floats, empty, integers }) {
    const ids = integers(ROWS, 0, 9);
    for (const dtype of ['float32', 'float16', 'bfloat16'] as const) {
      kernels.gatherRows(floats(9 * COLS), dtype, ids, empty(ROWS * COLS), ROWS, 9, COLS);
    }
    kernels.scatterAddRows(floats(ROWS * COLS), ids, floats(9 * COLS), ROWS, 9, COLS, 4);
  },

  reductions({ kernels, floats, empty }) {
    for (const op of REDUCTIONS) {
      kernels.reduce(op, floats(ROWS * COLS), empty(ROWS), ROWS, COLS, 1);
      kernels.reduce(op, floats(3 * ROWS * COLS), empty(3 * COLS), 3, ROWS, COLS);
    }
    for (const op of ['max', 'min', 'maxAbs'] as const) {
      kernels.reduceExtremumBackward(op, floats(N), floats(1), floats(1), empty(N), 1, N, 1);
      kernels.reduceExtremumBackward(op, floats(N * 7), floats(7), floats(7), empty(N * 7), 1, N, 7);
    }
    kernels.argmax(floats(ROWS * COLS), empty(ROWS), ROWS, COLS);
    kernels.sumSquares(floats(5000), floats(1), 5000, true);
    kernels.countNonFinite(floats(5000), empty(1), 5000, true);
  },

  'long rows'({ kernels, floats, empty }) {
    for (const op of REDUCTIONS) kernels.reduce(op, floats(2 * 70_001), empty(2), 2, 70_001, 1);
  },

  softmax({ kernels, floats, empty }) {
    const size = ROWS * COLS;
    for (const log of [false, true]) {
      kernels.softmax(floats(size), empty(size), ROWS, COLS, log);
      kernels.softmaxBackward(floats(size), floats(size), empty(size), ROWS, COLS, log);
    }
  },

  normalization({ kernels, floats, empty }) {
    const size = ROWS * COLS;
    const [x, g, weight, bias, mean, rstd] = [
      floats(size),
      floats(size),
      floats(COLS),
      floats(COLS),
      empty(ROWS),
      empty(ROWS),
    ];
    kernels.rmsNorm(x, weight, empty(size), rstd, ROWS, COLS, 1e-5);
    kernels.rmsNormBackward(x, weight, rstd, g, empty(size), floats(COLS), ROWS, COLS);
    kernels.layerNorm(x, weight, bias, empty(size), mean, rstd, ROWS, COLS, 1e-5);
    kernels.layerNormBackward(x, weight, mean, rstd, g, empty(size), floats(COLS), floats(COLS), ROWS, COLS);
  },

  'normalization of channels'({ kernels, floats, empty }) {
    for (const [batch, channels, length] of [
      [7, 19, 37],
      [133, 37, 1],
      [37, 19, 7],
    ] as const) {
      const sizes = [batch, channels, length] as const;
      const size = batch * channels * length;
      const [x, g, weight, bias] = [floats(size), floats(size), floats(channels), floats(channels)];
      const moments = [empty(channels), empty(channels)] as const;
      kernels.channelMoments(x, ...moments, ...sizes);
      kernels.channelNorm(x, ...moments, weight, bias, empty(size), ...sizes, 1e-5);
      const sums = [floats(channels), floats(channels)] as const;
      kernels.channelNormBackward(x, ...moments, weight, g, empty(size), ...sums, ...sizes, 1e-5, true);
    }
  },

  losses({ kernels, floats, empty, integers }) {
    const size = ROWS * COLS;
    const [logits, labels, lse, weight, g] = [
      floats(size),
      integers(ROWS, 0, COLS),
      empty(ROWS),
      floats(COLS),
      floats(ROWS),
    ];
    kernels.crossEntropy(logits, labels, weight, empty(ROWS), lse, ROWS, COLS, 3, 0.1);
    kernels.crossEntropyBackward(logits, labels, weight, lse, g, empty(size), ROWS, COLS, 3, 0.1);
    kernels.bceWithLogits(logits, floats(size), weight, empty(size), ROWS, COLS);
    kernels.bceWithLogitsBackward(logits, floats(size), weight, floats(size), empty(size), ROWS, COLS);
  },

  'random numbers'({ kernels, floats, empty }) {
    kernels.uniform(empty(N), N, -1, 2, STREAM);
    kernels.normal(empty(N), N, 0.5, 2, STREAM);
    kernels.dropout(floats(N), empty(N), N, 0.3, STREAM);
  },

  optimizers({ kernels, floats, upload }) {
    const positive = upload(new Float32Array(N).fill(0.25));
    const [parameter, gradient] = [floats(N), floats(N)];
    kernels.adam({
      ...{ parameter, gradient, expAvg: floats(N), expAvgSq: positive, offset: 1, expAvgOffset: 2, expAvgSqOffset: 3 },
      ...{ size: N - 3, learningRate: 1e-3, beta1: 0.9, beta2: 0.99, eps: 1e-8, weightDecay: 0.1, decoupled: true },
      ...{ biasCorrection1: 0.5, biasCorrection2: 0.4 },
    });
    kernels.sgd({
      ...{ parameter, gradient, momentumBuffer: floats(N), offset: 0, momentumOffset: 1, size: N - 1 },
      ...{ learningRate: 0.1, momentum: 0.9, dampening: 0.1, weightDecay: 0.1, nesterov: true, first: false },
    });
  },
};

/** `engine` with another `run`. */
export function withRun(engine: Engine, run: Engine['run']): Engine {
  const { exports, simd, memory, allocator, threads } = engine;
  return {
    ...{ exports, simd, memory, allocator, threads, run, dispose: () => engine.dispose() },
    workspace: (byteLength) => engine.workspace(byteLength),
    metadata: (values) => engine.metadata(values),
    connectBlas: (blas) => engine.connectBlas(blas),
  };
}
