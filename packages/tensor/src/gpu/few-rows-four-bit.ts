import { areFewLongRows, eachRow, fewRowsCode, fewRowsGroups, LANES } from './few-rows-wgsl.js';
import { type FourBitType, LOAD_CODES } from './four-bit.js';
import { declareWeight, FOUR_BIT_PARAMETERS, inputsOf, launchFourBit } from './four-bit-wgsl.js';
import { family, type WgslKernel } from './kernel.js';
import type { Launcher } from './launcher.js';
import type { FourBitProduct } from './matmul-four-bit.js';
import { readOnly } from './product-wgsl.js';

// A thread takes floats of six codes, whole: each is decoded once, in pairs, and every row of x is multiplied by it.

/** Where the codes of each pair in a float begin, in bits: the first code of a byte is in its high half. */
const PAIRS = [
  [4, 0],
  [12, 8],
  [20, 16],
] as const;

/**
 * Whether the kernel below takes a product. Rows and blocks of an even length keep pairs together; six codes must not lie
 * in more than two blocks.
 */
export function hasFewRows({ weight, m, inFeatures, transpose }: FourBitProduct): boolean {
  const { blockSize } = weight;
  return !transpose && areFewLongRows(m, inFeatures) && inFeatures % 2 === 0 && blockSize % 2 === 0 && blockSize >= 6;
}

const fewRowsFourBit = family(
  (type: FourBitType, rows: number, bias: boolean): WgslKernel => ({
    name: `fewRowsFourBit(${type},${rows},${bias})`,
    inputs: inputsOf(bias),
    outputs: 1,
    code: fewRowsCode({
      rows,
      parameters: FOUR_BIT_PARAMETERS,
      declarations: `
${readOnly(1, 'x', 'vec2<f32>')}
${declareWeight(type, bias)}
fn pair_of(six : u32, first : u32, second : u32) -> vec2<f32> {
  return vec2<f32>(codes[(six >> first) & 15u], codes[(six >> second) & 15u]);
}`,
      prologue: LOAD_CODES,
      sums: sumsOf(rows),
      bias,
      output: inputsOf(bias) + 1,
    }),
  }),
);

function sumsOf(rows: number): string {
  const add = (pair: string, t: string) =>
    eachRow(rows, (i) => `      s${i} += dot(${pair}, x[(${i}u * p.k + ${t}) / 2u]);`);
  const pairs = PAIRS.map(
    ([first, second], i) => `
      let w${i} = pair_of(six, ${first}u, ${second}u) * select(next, scale, ${2 * i}u < inside);
${add(`w${i}`, `t + ${2 * i}u`)}`,
  );
  return `
    let start = column * p.k;
    let end = start + p.k;
    let first = (start + 5u) / 6u; // floats \`first .. last\` hold codes of this row alone
    let last = max(first, end / 6u);
    for (var f = first + lane; f < last; f += ${LANES}u) {
      let six = u32(packed[f]);
      let at = 6u * f;
      let t = at - start;
      let block = at / p.block_size;
      let inside = (block + 1u) * p.block_size - at; // codes from here to the end of the block
      let scale = scales[block];
      let next = scales[block + 1u]; // past the last block WGSL reads some number, which is not taken
${pairs.join('')}
    }
    // in the floats that it shares with its neighbours, a row has at most two pairs at each end
    let head = min(6u * first, end);
    let tail = max(6u * last, head);
    let lone = select(tail + 2u * lane - 4u, start + 2u * lane, lane < 2u);
    if (lane < 4u && lone < select(end, head, lane < 2u)) {
      let place = lone % 6u;
      let w = pair_of(u32(packed[lone / 6u]), 4u * place + 4u, 4u * place) * scales[lone / p.block_size];
${add('w', 'lone - start')}
    }`;
}

export function launchFewRowsFourBit(launcher: Launcher, product: FourBitProduct): void {
  const { weight, bias, m, outFeatures } = product;
  const kernel = fewRowsFourBit(weight.type, m, bias !== null);
  launchFourBit(launcher, kernel, product, fewRowsGroups(outFeatures, 1));
}
