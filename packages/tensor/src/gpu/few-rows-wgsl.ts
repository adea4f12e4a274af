import type { Extent } from './backend.js';
import { family, type WgslKernel } from './kernel.js';
import type { Launcher } from './launcher.js';
import type { Product } from './product.js';
import { declareProduct, MOST_GROUPS, readOnly, storeSum, TILE_PARAMETERS, tileParameters } from './product-wgsl.js';

// `y[z] = alpha · a[z] · b[z]ᵀ` for few rows of a, as in decoding, in WGSL. A thread for each cell would leave most of a GPU
// idle, and neighbours would read far apart. Here several threads share a row of b, so that they read side by side, and what
// a thread has read, or decoded, is multiplied by every row of a.

/** Threads that sum one column of y, which is a row of b: they read 64 bytes at a time. */
export const LANES = 16;

/** Columns of y that a workgroup sums. */
const COLUMNS = 4;

const THREADS = LANES * COLUMNS;

/** With more rows than this, tiles read less; with shorter ones, adding up what the threads have costs more than it saves. */
const MOST_ROWS = 8;
const LONG = 16 * LANES;

export function areFewLongRows(m: number, k: number): boolean {
  return m <= MOST_ROWS && k >= LONG;
}

export interface FewRowsCode {
  readonly rows: number; // of a
  readonly parameters: string; // fields of the uniform block
  readonly declarations: string; // bindings from 1 on: a, whatever stands for b, and `bias` if there is one
  readonly prologue?: string; // runs before anything is summed; `index` is the thread's
  readonly sums: string; // adds to s0, s1, ..., one a row of a, the share of thread `lane` in `column` of product `z`
  readonly bias: boolean;
  readonly output: number; // its binding
}

export function fewRowsCode({
  rows,
  parameters,
  declarations,
  prologue = '',
  sums,
  bias,
  output,
}: FewRowsCode): string {
  return `${declareProduct(parameters, output)}
${declarations}
var<workgroup> parts : array<f32, ${rows * THREADS}>; // [row][column][lane]

@compute @workgroup_size(${THREADS})
fn main(
  @builtin(workgroup_id) group : vec3<u32>,
  @builtin(num_workgroups) groups : vec3<u32>,
  @builtin(local_invocation_index) index : u32,
) {
  ${prologue}
  let z = group.z;
  let lane = index % ${LANES}u;
  let column = (group.y * groups.x + group.x) * ${COLUMNS}u + index / ${LANES}u;
${eachRow(rows, (i) => `  var s${i} = 0.0;`)}
  if (column < p.n) {
${sums}
  }
${eachRow(rows, (i) => `  parts[${i * THREADS}u + index] = s${i};`)}
  workgroupBarrier();
  if (column >= p.n || lane >= ${rows}u) { return; }
  var sum = 0.0; // of the row that has the lane's number
  for (var i = 0u; i < ${LANES}u; i++) { sum += parts[lane * ${THREADS}u + index - lane + i]; }
  let at = (z * ${rows}u + lane) * p.n + column;${storeSum('sum', 'column', bias)}
}
`;
}

export function eachRow(rows: number, line: (i: number) => string): string {
  return Array.from({ length: rows }, (_, i) => line(i)).join('\n');
}

/** Workgroups for n columns: in several rows where there are more than an axis takes. */
export function fewRowsGroups(n: number, batch: number): Extent {
  const groups = Math.ceil(n / COLUMNS);
  const down = Math.max(1, Math.ceil(groups / MOST_GROUPS));
  return [Math.ceil(groups / down), down, batch];
}

const fewRowsProduct = family(
  (rows: number, bias: boolean): WgslKernel => ({
    name: `fewRowsProduct(${rows},${bias})`,
    inputs: bias ? 3 : 2,
    outputs: 1,
    code: fewRowsCode({
      rows,
      parameters: TILE_PARAMETERS,
      declarations: [readOnly(1, 'a'), readOnly(2, 'b'), bias ? readOnly(3, 'bias') : ''].join('\n'),
      sums: `
    let start = z * p.b_stride + column * p.k;
    for (var t = lane; t < p.k; t += ${LANES}u) {
      let w = b[start + t];
${eachRow(rows, (i) => `      s${i} += w * a[z * p.a_stride + ${i}u * p.k + t];`)}
    }`,
      bias,
      output: bias ? 4 : 3,
    }),
  }),
);

/** A product of which `areFewLongRows` holds, with a as it is and b transposed. */
export function launchFewRows(launcher: Launcher, product: Product): void {
  const { a, b, y, bias, m, n, batch } = product;
  const inputs = bias ? [a, b, bias] : [a, b];
  const kernel = fewRowsProduct(m, bias !== null);
  launcher.launchWgsl(kernel, [y], inputs, tileParameters(product), fewRowsGroups(n, batch));
}
