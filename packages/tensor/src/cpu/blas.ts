import type { MatmulArguments } from '../kernels/matmul.js';
import { type Blas, blasChoice, openBlas } from './blas.node.js';
import { floatBits } from './call.js';
import { BLAS_MULTIPLY_ADD, DEQUANTIZE_4_BIT } from './cost.js';
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
export function blasSource(choice: string = blasChoice()): BlasSource {
  let blas = choice === 'auto' || choice === 'off' ? undefined : openBlas(choice);
  return {
    get() {
      if (blas === undefined) blas = openBlas(choice);
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
export function runBlas(blas: Blas, engine: Engine, args: MatmulArguments): void {
  const { batch, m, n, k, transposeA, transposeB, alpha, accumulate } = args;
  runProducts(blas, engine, {
    a: { at: pointer(args.a), stride: args.aStride, width: transposeA ? m : k },
    b: { at: pointer(args.b), stride: args.bStride, width: transposeB ? k : n },
    y: { at: pointer(args.y), stride: m * n, width: n },
    ...{ bias: pointer(args.bias), accumulate, batch, m, n, k, transposeA, transposeB, alpha },
  });
}

/** Matrices of a batch: elements from one to the next, and from one stored row to the next. */
interface Operand {
  readonly at: number;
  readonly stride: number;
  readonly width: number;
}

interface Products extends Pick<MatmulArguments, 'batch' | 'm' | 'n' | 'k' | 'transposeA' | 'transposeB' | 'alpha'> {
  readonly a: Operand;
  readonly b: Operand;
  readonly y: Operand;
  readonly bias: number; // an address, 0: none
  readonly accumulate: boolean;
}

function runProducts(blas: Blas, engine: Engine, products: Products): void {
  const { batch, m, n, k } = products;
  const { rows, columns } = unitOf(m, n, k);
  const units = batch * Math.ceil(m / rows) * Math.ceil(n / columns);
  engine.connectBlas(blas);
  const call = engine.metadata(blasCall(products, rows, columns));
  engine.run('blasProduct', [call], units, (batch * m * n * k * BLAS_MULTIPLY_ADD) / units);
}

const LEAST_SHARED = 2 ** 20; // multiply-adds: 15 µs

/**
 * How much of `y` a thread makes with one call of the library: it depends on the sizes alone, so that results do not depend
 * on the number of threads. Blocks of whole rows: each packs all of b again, so that 256 rows are faster than 128, by 2 to
 * 20 % as the library goes; but of 128 there are more to share. With few rows columns are cut, too. The number of units is
 * even, for two threads to have as much to do. A product that is not worth a second thread is one unit.
 */
function unitOf(m: number, n: number, k: number): { rows: number; columns: number } {
  if (m * n * k < LEAST_SHARED) return { rows: m, columns: n };
  const down = Math.max(Math.ceil(m / 256), Math.min(8, Math.ceil(m / 128)));
  const across = down < 4 ? Math.max(1, Math.min(Math.floor(8 / down), Math.floor(n / 512))) : 1;
  if ((down * across) % 2 === 0) return { rows: evenPart(m, down), columns: evenPart(n, across) };
  if (m >= 64) return { rows: evenPart(m, down + 1), columns: evenPart(n, across) };
  return { rows: m, columns: evenPart(n, across + 1) };
}

/** A `count`th of a size, in whole vectors. */
function evenPart(size: number, count: number): number {
  return Math.ceil(size / count / 8) * 8;
}

/** The words of `BlasCall` in assembly/blas.ts. */
function blasCall(products: Products, rows: number, columns: number): number[] {
  const { a, b, y, bias, accumulate, m, n, k, transposeA, transposeB, alpha } = products;
  return [
    ...[a, b, y].flatMap(({ at, stride, width }) => [at, stride, width]),
    bias,
    Number(accumulate),
    m,
    n,
    k,
    Number(transposeA),
    Number(transposeB),
    floatBits(alpha),
    rows,
    columns,
  ];
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
 * @param weight - the words of `FourBitWeight` in assembly/four-bit.ts
 */
export function runFourBitBlas(blas: Blas, engine: Engine, product: FourBitProduct, weight: readonly number[]): void {
  const { x, y, bias, m, outFeatures, inFeatures, blockSize, transpose, accumulate } = product;
  const rows = panelRows(outFeatures, inFeatures, blockSize);
  const scratch = engine.workspace(4 * rows * inFeatures);
  const plain = { batch: 1, m, transposeA: false, transposeB: !transpose, alpha: 1 };
  const b = { at: scratch, stride: 0, width: inFeatures };
  for (let row = 0; row < outFeatures; row += rows) {
    const count = Math.min(rows, outFeatures - row);
    const blocks = Math.ceil((count * inFeatures) / blockSize);
    const words = engine.metadata(weight);
    const first = (row * inFeatures) / blockSize;
    engine.run('dequantize4bit', [words, scratch, first], blocks, blockSize * DEQUANTIZE_4_BIT);
    const a = { at: transpose ? x + 4 * row : x, stride: 0, width: transpose ? outFeatures : inFeatures };
    const to = { at: transpose ? y : y + 4 * row, stride: 0, width: transpose ? inFeatures : outFeatures };
    const sizes = transpose ? { n: inFeatures, k: count } : { n: count, k: inFeatures };
    const sum = { bias: bias && bias + 4 * row, accumulate: accumulate || (transpose && row > 0) };
    runProducts(blas, engine, { ...plain, ...sizes, ...sum, a, b, y: to });
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
