import type { DeviceBuffer } from '../device.js';
import type { FourBitWeight } from '../kernels/quantization.js';
import { hasFewRows, launchFewRowsFourBit } from './few-rows-four-bit.js';
import { type FourBitType, LOAD_CODES, weightAt, weightFunctions } from './four-bit.js';
import { declareWeight, FOUR_BIT_PARAMETERS, inputsOf, launchFourBit, sizesOf } from './four-bit-wgsl.js';
import { family, gpuKernel, type WgslKernel } from './kernel.js';
import { type Launcher, type Scratch, view } from './launcher.js';
import { FEW, runProduct } from './product.js';
import { type TileSize, tileCode, tileGroups, tileSize } from './product-wgsl.js';

/** `y[m, out] = x[m, in] · Wᵀ (+ bias)`, or with `transpose` `y[m, in] = x[m, out] · W`: kernels/quantization.ts. */
export interface FourBitProduct {
  readonly x: DeviceBuffer;
  readonly weight: FourBitWeight;
  readonly scales: DeviceBuffer | Scratch; // one a block
  readonly bias: DeviceBuffer | null;
  readonly y: DeviceBuffer;
  readonly m: number;
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly transpose: boolean;
  readonly accumulate: boolean;
}

/** Writes numbers `start .. start + count` of the flattened weight to scratch. */
export type Decode = (to: Scratch, start: number, count: number) => void;

/** At most this many numbers of a weight are decoded at a time on GL: 4 MB. */
const PANEL = 1 << 20;

/**
 * WebGPU decodes while it loads tiles, or in the threads that sum a row where x has few. GL has no memory that threads share,
 * so that it decodes a panel of rows once, by all of its threads, and multiplies by it four floats a read.
 */
export function runFourBitProduct(launcher: Launcher, product: FourBitProduct, decode: Decode): void {
  if (product.m === 0) return;
  if (!launcher.webGpu) runPanels(launcher, product, decode);
  else if (hasFewRows(product)) launchFewRowsFourBit(launcher, product);
  else if (product.m >= FEW) runTiled(launcher, product);
  else runDecoding(launcher, product);
}

/** Decodes inside the sum, for each row of x anew. */
const decodingProduct = family((type: FourBitType, transpose: boolean, bias: boolean, accumulate: boolean) =>
  gpuKernel(
    `decodingProduct(${type},${transpose},${bias},${accumulate})`,
    ['x', 'packed', 'scales', ...(bias ? ['bias'] : []), ...(accumulate ? ['c'] : [])],
    { blockSize: 'Integer', inFeatures: 'Integer', k: 'Integer' },
    `let sum = 0;
     for (let t = 0; t < k; t++) {
       sum += x[0][this.thread.y][t] * (${weightAt(transpose ? 't * inFeatures + this.thread.x' : 'this.thread.x * inFeatures + t')});
     }
     return sum${bias ? ' + bias[this.thread.x]' : ''}${accumulate ? ' + c[0][this.thread.y][this.thread.x]' : ''};`,
    { functions: weightFunctions(type) },
  ),
);

function runDecoding(launcher: Launcher, product: FourBitProduct): void {
  const { x, weight, scales, bias, y, m, inFeatures, transpose, accumulate } = product;
  const [n, k] = sizesOf(product);
  const kernel = decodingProduct(weight.type, transpose, bias !== null, accumulate);
  const inputs = [view(x, k), weight.packed, scales];
  if (bias) inputs.push(bias);
  if (accumulate) inputs.push(view(y, n));
  launcher.launch(kernel, y, [n, m, 1], inputs, [weight.blockSize, inFeatures, k]);
}

const tiledFourBit = family((tile: TileSize, type: FourBitType, transpose: boolean, bias: boolean): WgslKernel => {
  return {
    name: `tiledFourBit(${tile},${type},${transpose},${bias})`,
    inputs: inputsOf(bias),
    outputs: 1,
    code: tileCode({
      tile,
      parameters: FOUR_BIT_PARAMETERS,
      declarations: `${declareWeight(type, bias)}
fn at_b(z : u32, t : u32, j : u32) -> f32 {
  let at = ${transpose ? 't * p.in_features + j' : 'j * p.in_features + t'};
  let six = u32(packed[at / 6u]);
  let place = at % 6u;
  return codes[(six >> (4u * (place ^ 1u))) & 15u] * scales[at / p.block_size];
}`,
      prologue: LOAD_CODES,
      transposeA: false,
      transposeB: !transpose,
      bias,
      output: inputsOf(bias) + 1,
    }),
  };
});

function runTiled(launcher: Launcher, product: FourBitProduct): void {
  const { weight, bias, m, transpose } = product;
  const [n] = sizesOf(product);
  const tile = tileSize(m, n);
  const kernel = tiledFourBit(tile, weight.type, transpose, bias !== null);
  launchFourBit(launcher, kernel, product, tileGroups(tile, m, n, 1));
}

/** Columns `from .. to` of y: those of `part`; the others stay. */
const placeColumns = family((bias: boolean, accumulate: boolean) =>
  gpuKernel(
    `placeColumns(${bias},${accumulate})`,
    ['part', 'c', ...(bias ? ['bias'] : [])],
    { start: 'Integer', end: 'Integer' },
    `if (this.thread.x < start) { return c[0][this.thread.y][this.thread.x]; }
     if (this.thread.x >= end) { return c[0][this.thread.y][this.thread.x]; }
     return part[0][this.thread.y][this.thread.x - start]${bias ? ' + bias[this.thread.x]' : ''}${
       accumulate ? ' + c[0][this.thread.y][this.thread.x]' : ''
     };`,
  ),
);

const takeColumns = gpuKernel(
  'takeColumns',
  ['x'],
  { start: 'Integer' },
  'return x[0][this.thread.y][this.thread.x + start];',
);

function runPanels(launcher: Launcher, product: FourBitProduct, decode: Decode): void {
  const { m, outFeatures, inFeatures } = product;
  const height = Math.min(outFeatures, Math.max(4, Math.floor(PANEL / inFeatures / 4) * 4));
  launcher.withScratch(height * inFeatures, (panel) => {
    if (height === outFeatures) {
      decode(panel, 0, outFeatures * inFeatures);
      runPanel(launcher, product, panel);
      return;
    }
    launcher.withScratch(m * height, (part) => {
      for (let start = 0; start < outFeatures; start += height) {
        const rows = Math.min(height, outFeatures - start);
        decode(panel, start * inFeatures, rows * inFeatures);
        if (product.transpose) addPanel(launcher, product, panel, part, start, rows);
        else placePanel(launcher, product, panel, part, start, rows);
      }
    });
  });
}

const PLAIN = { batch: 1, transposeA: false, aStride: 0, bStride: 0, alpha: 1 } as const;

function runPanel(launcher: Launcher, product: FourBitProduct, panel: Scratch): void {
  const { x, bias, y, m, transpose, accumulate } = product;
  const [n, k] = sizesOf(product);
  runProduct(launcher, { ...PLAIN, a: x, b: panel, y, bias, m, n, k, transposeB: !transpose, accumulate });
}

/** `y += x[:, rows] · W[rows]`: a part of the sum. */
function addPanel(
  launcher: Launcher,
  { x, y, m, outFeatures, inFeatures, accumulate }: FourBitProduct,
  panel: Scratch,
  part: Scratch,
  start: number,
  rows: number,
): void {
  launcher.launch(takeColumns, part, [rows, m, 1], [view(x, outFeatures)], [start]);
  const sizes = { m, n: inFeatures, k: rows };
  const options = { bias: null, transposeB: false, accumulate: accumulate || start > 0 };
  runProduct(launcher, { ...PLAIN, a: part, b: panel, y, ...sizes, ...options });
}

/** `y[:, rows] = x · W[rows]ᵀ`: a part of the columns. */
function placePanel(
  launcher: Launcher,
  { x, y, bias, m, outFeatures, inFeatures, accumulate }: FourBitProduct,
  panel: Scratch,
  part: Scratch,
  start: number,
  rows: number,
): void {
  const sizes = { m, n: rows, k: inFeatures };
  runProduct(launcher, {
    ...PLAIN,
    a: x,
    b: panel,
    y: part,
    bias: null,
    ...sizes,
    transposeB: true,
    accumulate: false,
  });
  const inputs = [view(part, rows), view(y, outFeatures)];
  if (bias) inputs.push(view(bias, outFeatures));
  launcher.launch(placeColumns(bias !== null, accumulate), y, [outFeatures, m, 1], inputs, [start, start + rows]);
}
