import { family, type WgslKernel } from './kernel.js';
import type { Launcher } from './launcher.js';
import type { Product } from './product.js';

// A product in tiles, in WGSL: gpu.js gives each thread one place of the output and no memory shared with others, so that
// its threads read 2k floats for each sum. Here a workgroup loads a tile of both operands once for all of its threads.

/** Rows and columns of the output that a workgroup computes. */
export type TileSize = 16 | 64;

/** How much of k a workgroup holds at a time: 16 makes at most 8 KiB of workgroup memory, half of what every adapter has. */
const DEPTH = 16;

/**
 * What a thread sums: `rows` by `4 · fours`. In large tiles 64 products cost 8 + 2 reads of workgroup memory; small ones
 * keep more threads busy where there are few rows or columns, as in LoRA and in the heads of attention.
 */
const THREAD = { 16: { rows: 2, fours: 1 }, 64: { rows: 8, fours: 2 } } as const;

/** The tile for a product of m × n: a large one that is a quarter full was still faster than small ones. */
export function tileSize(m: number, n: number): TileSize {
  return Math.min(m, n) > 16 ? 64 : 16;
}

/** Parameters that every tiled product has; `flags` bit 0: bias, bit 1: accumulate. */
export const TILE_PARAMETERS =
  'm : u32, n : u32, k : u32, flags : u32, a_stride : u32, b_stride : u32, alpha : f32, spare : u32';

const ADDS_BIAS = 1;
const ACCUMULATES = 2;

/** What every adapter allows along each axis of a launch. */
export const MOST_GROUPS = 65_535;

/** Declares an input. */
export function readOnly(binding: number, name: string, of = 'f32'): string {
  return `@group(0) @binding(${binding}) var<storage, read> ${name} : array<${of}>;`;
}

/** WGSL: the parameters and y, which are in every product. */
export function declareProduct(parameters: string, output: number): string {
  return `
struct Parameters { ${parameters} }
@group(0) @binding(0) var<uniform> p : Parameters;
@group(0) @binding(${output}) var<storage, read_write> y : array<f32>;`;
}

/** WGSL: writes a sum to y, where `at` is its place. */
export function storeSum(sum: string, column: string, bias: boolean): string {
  return `
    var value = p.alpha * ${sum};
    ${bias ? `value += bias[${column}];` : ''}
    if ((p.flags & ${ACCUMULATES}u) != 0u) { value += y[at]; }
    y[at] = value;`;
}

const tiledProduct = family((tile: TileSize, transposeA: boolean, transposeB: boolean, bias: boolean): WgslKernel => {
  return {
    name: `tiledProduct(${tile},${transposeA},${transposeB},${bias})`,
    inputs: bias ? 3 : 2,
    outputs: 1,
    code: tileCode({
      tile,
      parameters: TILE_PARAMETERS,
      declarations: `
${readOnly(2, 'b')}
${bias ? readOnly(3, 'bias') : ''}
fn at_b(z : u32, t : u32, j : u32) -> f32 {
  return b[z * p.b_stride + ${transposeB ? 'j * p.k + t' : 't * p.n + j'}];
}`,
      transposeA,
      transposeB,
      bias,
      output: bias ? 4 : 3,
    }),
  };
});

export function launchTiledProduct(launcher: Launcher, product: Product): void {
  const { a, b, y, bias, m, n, batch, transposeA, transposeB } = product;
  const tile = tileSize(m, n);
  const kernel = tiledProduct(tile, transposeA, transposeB, bias !== null);
  const inputs = bias ? [a, b, bias] : [a, b];
  launcher.launchWgsl(kernel, [y], inputs, tileParameters(product), tileGroups(tile, m, n, batch));
}

export function tileGroups(tile: TileSize, m: number, n: number, batch: number): [number, number, number] {
  return [Math.ceil(n / tile), Math.ceil(m / tile), batch];
}

/** The bytes of `TILE_PARAMETERS`, with room for more after them. */
export function tileParameters(
  product: Pick<Product, 'm' | 'n' | 'k' | 'bias' | 'accumulate' | 'aStride' | 'bStride' | 'alpha'>,
  more = 0,
): Int32Array {
  const { m, n, k, bias, accumulate, aStride, bStride, alpha } = product;
  const words = new Int32Array(8 + more);
  words.set([m, n, k, (bias ? ADDS_BIAS : 0) + (accumulate ? ACCUMULATES : 0), aStride, bStride]);
  new Float32Array(words.buffer)[6] = alpha;
  return words;
}

export interface TileCode {
  readonly tile: TileSize;
  readonly parameters: string; // fields of the uniform block
  readonly declarations: string; // what at_b reads, from binding 2 on, `bias` if there is one, and `fn at_b(z, t, j)`
  readonly prologue?: string; // runs before anything is loaded; `index` is the thread's
  readonly transposeA: boolean;
  readonly transposeB: boolean; // neighbours along t lie together, so that neighbouring threads load along t
  readonly bias: boolean;
  readonly output: number; // its binding
}

/** The WGSL of a product of `a` and of whatever `at_b` reads, which is called inside the operand only. */
export function tileCode({
  tile,
  parameters,
  declarations,
  prologue = '',
  transposeA,
  transposeB,
  bias,
  output,
}: TileCode): string {
  const { rows: rowsEach, fours: foursEach } = THREAD[tile];
  const grid = [tile / (4 * foursEach), tile / rowsEach] as const;
  const threads = grid[0] * grid[1];
  const [rows, fours] = [[...Array(rowsEach).keys()], [...Array(foursEach).keys()]];
  const each = (line: (i: number, j: number) => string) => rows.flatMap((i) => fours.map((j) => line(i, j))).join('\n');
  return `${declareProduct(parameters, output)}
${readOnly(1, 'a')}
${declarations}
var<workgroup> tile_a : array<f32, ${tile * DEPTH}>; // [t][i]
var<workgroup> tile_b : array<vec4<f32>, ${(tile * DEPTH) / 4}>; // [t][j / 4]

fn inside_a(z : u32, i : u32, t : u32) -> f32 {
  if (i >= p.m || t >= p.k) { return 0.0; }
  return a[z * p.a_stride + ${transposeA ? 't * p.m + i' : 'i * p.k + t'}];
}

fn inside_b(z : u32, t : u32, j : u32) -> f32 {
  if (j >= p.n || t >= p.k) { return 0.0; }
  return at_b(z, t, j);
}

fn put(z : u32, i : u32, j : u32, sums : vec4<f32>) {
  if (i >= p.m) { return; }
  for (var c = 0u; c < 4u && j + c < p.n; c++) {
    let at = (z * p.m + i) * p.n + j + c;${storeSum('sums[c]', 'j + c', bias)}
  }
}

@compute @workgroup_size(${grid.join(', ')})
fn main(
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(local_invocation_id) local : vec3<u32>,
  @builtin(local_invocation_index) index : u32,
) {
  ${prologue}
  let row = group.y * ${tile}u;
  let column = group.x * ${tile}u;
${each((i, j) => `  var s${i}_${j} = vec4<f32>();`)}
  for (var start = 0u; start < p.k; start += ${DEPTH}u) {
    for (var e = index; e < ${tile * DEPTH}u; e += ${threads}u) {
      ${transposeA ? `let i = e % ${tile}u; let t = e / ${tile}u;` : `let i = e / ${DEPTH}u; let t = e % ${DEPTH}u;`}
      tile_a[t * ${tile}u + i] = inside_a(group.z, row + i, start + t);
    }
    for (var e = index; e < ${(tile * DEPTH) / 4}u; e += ${threads}u) {
      ${transposeB ? `let q = e / ${DEPTH}u; let t = e % ${DEPTH}u;` : `let q = e % ${tile / 4}u; let t = e / ${tile / 4}u;`}
      let j = column + 4u * q;
      tile_b[t * ${tile / 4}u + q] = vec4<f32>(
        inside_b(group.z, start + t, j), inside_b(group.z, start + t, j + 1u),
        inside_b(group.z, start + t, j + 2u), inside_b(group.z, start + t, j + 3u));
    }
    workgroupBarrier();
    for (var t = 0u; t < ${DEPTH}u; t++) {
${fours.map((j) => `      let b${j} = tile_b[t * ${tile / 4}u + local.x + ${j * grid[0]}u];`).join('\n')}
${rows.map((i) => `      let a${i} = tile_a[t * ${tile}u + local.y * ${rowsEach}u + ${i}u];`).join('\n')}
${each((i, j) => `      s${i}_${j} += a${i} * b${j};`)}
    }
    workgroupBarrier();
  }
${each((i, j) => `  put(group.z, row + local.y * ${rowsEach}u + ${i}u, column + 4u * (local.x + ${j * grid[0]}u), s${i}_${j});`)}
}
`;
}
