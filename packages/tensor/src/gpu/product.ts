import type { DeviceBuffer } from '../device.js';
import type { MatmulArguments } from '../kernels/matmul.js';
import type { Extent } from './backend.js';
import { areFewLongRows, launchFewRows } from './few-rows-wgsl.js';
import { type Launcher, type LaunchInput, type Scratch, view } from './launcher.js';
import { foursByFours, plainProduct, scalarTimesFours, transposeRows } from './product-kernels.js';
import { launchTiledProduct, MOST_GROUPS } from './product-wgsl.js';

/** `y[z] = alpha · op(a[z]) · op(b[z]) (+ bias) (+ y[z])`, as kernels/matmul.ts has it, of buffers or of scratch. */
export interface Product extends Omit<MatmulArguments, 'a' | 'b' | 'bDtype' | 'y'> {
  a: DeviceBuffer | Scratch;
  b: DeviceBuffer | Scratch;
  y: DeviceBuffer | Scratch;
}

/** With fewer rows or columns than this, a cell a thread is faster than the smallest tile. */
export const FEW = 4;

/** Takes the fastest kernel that the backend and the sizes allow; README has what each was measured at. */
export function runProduct(launcher: Launcher, product: Product): void {
  const { m, n, k, batch, aStride, bStride, transposeA, transposeB } = product;
  if (m * n * batch === 0) return;
  if (launcher.webGpu) {
    const areRows = !transposeA && transposeB && areFewLongRows(m, k);
    if (areRows && batch < MOST_GROUPS) launchFewRows(launcher, product);
    else if (m >= FEW && n >= FEW && batch < MOST_GROUPS) launchTiledProduct(launcher, product);
    else runPlain(launcher, product);
  } else if (!areFours(n, bStride)) runPlain(launcher, product);
  else if (areFours(k) && transposeA) runTransposed(launcher, product);
  else if (areFours(k, aStride) && !transposeA) runFours(launcher, product);
  else if (!transposeB) runScalarTimesFours(launcher, product);
  else runPlain(launcher, product);
}

/** GL reads four floats at once where rows begin at a multiple of four. */
function areFours(...sizes: number[]): boolean {
  return sizes.every((size) => size % 4 === 0);
}

function runPlain(launcher: Launcher, product: Product): void {
  const { y, m, n, k, batch, aStride, bStride, transposeA, transposeB, bias, accumulate, alpha } = product;
  const kernel = plainProduct(transposeA, transposeB, bias !== null, accumulate);
  const inputs = inputsOf(product, transposeA ? m : k, transposeB ? k : n, 1);
  launcher.launch(kernel, y, [n, m, batch], inputs, [k, aStride, bStride, alpha]);
}

function runFours(launcher: Launcher, product: Product): void {
  const { y, m, n, k, batch, aStride, bStride, transposeB, bias, accumulate, alpha } = product;
  const kernel = foursByFours(transposeB, bias !== null, accumulate);
  const inputs = inputsOf(product, k / 4, (transposeB ? k : n) / 4, 4);
  launcher.launch(kernel, y, [n / 4, m, batch], inputs, [k / 4, aStride / 4, bStride / 4, alpha]);
}

function runScalarTimesFours(launcher: Launcher, product: Product): void {
  const { y, m, n, k, batch, aStride, bStride, transposeA, bias, accumulate, alpha } = product;
  const kernel = scalarTimesFours(transposeA, bias !== null, accumulate);
  const inputs = inputsOf(product, transposeA ? m : k, n / 4, 4);
  launcher.launch(kernel, y, [n / 4, m, batch], inputs, [k, aStride, bStride / 4, alpha]);
}

/** A transposed a is turned first: with it read in place, a product of 512 took twice as long. */
function runTransposed(launcher: Launcher, product: Product): void {
  const { a, m, k, batch, aStride } = product;
  const pieces = aStride === 0 ? 1 : batch;
  launcher.withScratch(pieces * m * k, (turned) => {
    launcher.launch(transposeRows, turned, [k, m, pieces], [view(a, m)], [aStride]);
    runFours(launcher, { ...product, a: turned, transposeA: false, aStride: aStride === 0 ? 0 : m * k });
  });
}

function inputsOf(
  { a, b, y, bias, n, m, accumulate }: Product,
  aLength: number,
  bLength: number,
  unit: 1 | 4,
): LaunchInput[] {
  const of = (memory: DeviceBuffer | Scratch, lengths: Extent) => view(memory, ...lengths);
  const inputs = [of(a, [aLength, 1, 1]), of(b, [bLength, 1, 1])];
  if (bias) inputs.push(of(bias, [n / unit, 1, 1]));
  if (accumulate) inputs.push(of(y, [n / unit, m, 1]));
  return inputs;
}
