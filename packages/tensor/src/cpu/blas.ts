import type { MatmulArguments } from '../kernels/matmul.js';
import { type Blas, blasChoice, openBlas } from './blas.node.js';
import { type Engine, pointer } from './engine.js';

/** Where a device takes its BLAS from. */
export interface BlasSource {
  /** Looked for when first asked. */
  get(): Blas | null;
}

/** Leaves all products to our kernels. */
export const NO_BLAS: BlasSource = { get: () => null };

/**
 * The BLAS of one device.
 *
 * @param choice - `auto`, `off`, or the library to load: see {@link openBlas}. Default: the environment's `BURIN_BLAS`.
 * @throws DeviceError if a library is named and cannot be had: at once, so that nobody measures the wrong engine
 */
export function blasSource(threads: number, choice: string = blasChoice()): BlasSource {
  let blas = choice === 'auto' || choice === 'off' ? undefined : openBlas(choice, threads);
  return {
    get() {
      if (blas === undefined) blas = openBlas(choice, threads);
      return blas;
    },
  };
}

/**
 * From here on OpenBLAS is the faster one, measured with one thread: 64 x 64 x 64 by 1.2, [1024, 512] x [512, 8] by 1.3,
 * 256 x 256 x 256 by 2.1. Below, its own cost of a call shows: 32 x 32 x 32 takes it three times as long as our kernels.
 */
const LEAST_WORK = 2 ** 18; // multiply-adds
const LEAST_SIDE = 8; // a few rows or columns are bound by memory, and ours reads it once

type Product = Pick<MatmulArguments, 'm' | 'n' | 'k' | 'bias' | 'accumulate'>;

/** Whether a product is one that BLAS does, and large enough for it. b is float32, or made so. */
export function fitsBlas({ m, n, k, bias, accumulate }: Product): boolean {
  if (bias && accumulate) return false;
  return Math.min(m, n) >= LEAST_SIDE && m * n * k >= LEAST_WORK;
}

/** Runs the products of a batch by `blas`. */
export function runBlas(blas: Blas, { memory }: Engine, args: MatmulArguments): void {
  const { m, n, batch, aStride, bStride, transposeA, transposeB, k, alpha } = args;
  const [a, b, y] = [pointer(args.a), pointer(args.b), pointer(args.y)];
  if (args.bias) repeatRow(memory, pointer(args.bias), y, n, batch * m);
  const beta = args.bias || args.accumulate ? 1 : 0;
  for (let z = 0; z < batch; z++) {
    const operands = { a: a + 4 * z * aStride, b: b + 4 * z * bStride, y: y + 4 * z * m * n };
    const widths = { aWidth: transposeA ? m : k, bWidth: transposeB ? k : n, yWidth: n };
    blas.sgemm(memory.buffer, { ...operands, ...widths, transposeA, transposeB, m, n, k, alpha, beta });
  }
}

/** The product with a 4-bit weight `[out, in]`: `x · Wᵀ (+ bias)`, or `g · W` where `transpose`. */
export interface FourBitProduct {
  x: number; // these three are addresses
  y: number;
  bias: number; // 0: none
  m: number;
  outFeatures: number;
  inFeatures: number;
  blockSize: number;
  transpose: boolean;
  accumulate: boolean;
}

const PANEL = 2 ** 20; // elements of a weight that are float32 at a time: 4 MiB, which the caches hold

/**
 * Runs it by `blas`, some rows of the weight at a time: they are dequantized into scratch, so that the float weight is
 * never whole.
 *
 * @param dequantize - writes blocks `begin .. end` of the weight to where they would lie in a whole one that begins at `y`
 */
export function runFourBitBlas(
  blas: Blas,
  engine: Engine,
  product: FourBitProduct,
  dequantize: (y: number, begin: number, end: number) => void,
): void {
  const { x, y, bias, m, outFeatures, inFeatures, blockSize, transpose, accumulate } = product;
  const rows = panelRows(outFeatures, inFeatures, blockSize);
  const scratch = engine.workspace(4 * rows * inFeatures);
  if (bias) repeatRow(engine.memory, bias, y, outFeatures, m);
  for (let row = 0; row < outFeatures; row += rows) {
    const count = Math.min(rows, outFeatures - row);
    const first = row * inFeatures;
    dequantize(scratch - 4 * first, first / blockSize, Math.ceil((first + count * inFeatures) / blockSize));
    const sizes = transpose ? { m, n: inFeatures, k: count } : { m, n: count, k: inFeatures };
    const places = transpose
      ? { a: x + 4 * row, aWidth: outFeatures, y, yWidth: inFeatures }
      : { a: x, aWidth: inFeatures, y: y + 4 * row, yWidth: outFeatures };
    const beta = accumulate || bias || (transpose && row > 0) ? 1 : 0;
    const options = { transposeA: false, transposeB: !transpose, alpha: 1, beta };
    blas.sgemm(engine.memory.buffer, { ...sizes, ...places, b: scratch, bWidth: inFeatures, ...options });
  }
}

/** As many rows as a panel holds, in steps that begin with a block. */
function panelRows(outFeatures: number, inFeatures: number, blockSize: number): number {
  const step = blockSize / greatestDivisor(inFeatures, blockSize);
  return Math.min(outFeatures, step * Math.max(1, Math.floor(PANEL / inFeatures / step)));
}

function greatestDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestDivisor(b, a % b);
}

/** Fills `rows` rows of y with one row of `n` numbers: first one, then ever twice as many. */
function repeatRow(memory: WebAssembly.Memory, row: number, y: number, n: number, rows: number): void {
  const bytes = new Uint8Array(memory.buffer);
  bytes.copyWithin(y, row, row + 4 * n);
  const end = 4 * n * rows;
  for (let done = 4 * n; done < end; done *= 2) bytes.copyWithin(y + done, y, y + Math.min(done, end - done));
}
