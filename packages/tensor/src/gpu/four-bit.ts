import { type GpuFunction, gpuFunction } from './kernel.js';
import { quotientOf, remainderOf } from './walk.js';

// 4-bit codes stay packed on the GPU: six in a float (`Format` triples in buffer.ts), which holds 24 bits exactly. They are
// taken out with exact powers of two; nothing is divided, since some drivers' division rounds.

export type FourBitType = 'nf4' | 'fp4';

/** The number of each code, as assembly/four-bit.ts has them. */
const CODE_VALUES: Readonly<Record<FourBitType, readonly number[]>> = {
  nf4: [
    ...[-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635],
    ...[-0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634],
    ...[0.33791524171829224, 0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0],
  ],
  fp4: [0, 1 / 192, 2 / 3, 1, 1 / 3, 1 / 2, 1 / 6, 1 / 4].flatMap((_, i, all) =>
    i === 0 ? [...all, ...all.map((v) => -v)] : [],
  ),
};

/** Codes in the order of their numbers; of FP4's two zeros, code 8 comes second. */
const ORDER: Readonly<Record<FourBitType, readonly number[]>> = {
  nf4: [...Array(16).keys()],
  fp4: [11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3],
};

const FLOAT = 'Float' as const;

/** Code number `place` (0 to 5) of six: the high half of the first byte comes first, the byte in the lowest bits. */
const nibbleOf = gpuFunction(
  `function nibbleOf(six, place) {
    let down = ${2 ** -4};
    if (place > 0.5) { down = 1; }
    if (place > 1.5) { down = ${2 ** -12}; }
    if (place > 2.5) { down = ${2 ** -8}; }
    if (place > 3.5) { down = ${2 ** -20}; }
    if (place > 4.5) { down = ${2 ** -16}; }
    return Math.floor(six * down) - 16 * Math.floor(six * (down * 0.0625));
  }`,
  { six: FLOAT, place: FLOAT },
  FLOAT,
);

/** The number that a code stands for. */
const CODE_VALUE: Readonly<Record<FourBitType, GpuFunction>> = {
  nf4: valueFunction('nf4'),
  fp4: valueFunction('fp4'),
};

/** The code of a number in -1 .. 1: by how many bounds it is above, bounds being the midpoints of neighbours. */
export const CODE_OF: Readonly<Record<FourBitType, GpuFunction>> = {
  nf4: codeFunction('nf4'),
  fp4: codeFunction('fp4'),
};

/**
 * `x / largest` as bitsandbytes rounds it: by the reciprocal, but in a last block that is shorter. Within -1 .. 1. The
 * reciprocal of the largest numbers would be subnormal, which GPUs flush: both are made smaller first.
 */
export const scaledBy = gpuFunction(
  `function scaledBy(x, largest, partial) {
    if (largest === 0) { return 0; }
    let down = 1;
    if (largest > ${2 ** 125}) { down = 0.0625; }
    let ratio = (x * down) * (1 / (largest * down));
    if (partial > 0.5) { ratio = (x * down) / (largest * down); }
    return Math.max(-1, Math.min(1, ratio));
  }`,
  { x: FLOAT, largest: FLOAT, partial: FLOAT },
  FLOAT,
);

/**
 * The number at flattened index `at` (an expression of integers) of a weight with inputs `packed` and `scales` and the
 * scalar `blockSize`, in a kernel that has `WEIGHT_FUNCTIONS`.
 */
export function weightAt(at: string): string {
  return (
    `valueOfCode(nibbleOf(packed[quotientOf(${at}, 6)], remainderOf(${at}, 6))) * ` +
    `scales[quotientOf(${at}, blockSize)]`
  );
}

/** The end of a kernel like that of `weightAt`: the four numbers from `at` on, in one block, as two bytes of one float or two. */
export function returnFourWeights(at: string): string {
  const low = (float: string) => `${float} - Math.floor(${float} * ${2 ** -8}) * 256`;
  const pair = (byte: string, high: string) =>
    `valueOfCode(${high}) * scale, valueOfCode(${byte} - ${high} * 16) * scale`;
  return `
    const six = packed[quotientOf(${at}, 6)];
    const next = packed[quotientOf(${at} + 2, 6)];
    const place = remainderOf(${at}, 6); // 0, 2 or 4
    const scale = scales[quotientOf(${at}, blockSize)];
    const top = Math.floor(six * ${2 ** -16});
    const middle = Math.floor(six * ${2 ** -8}) - top * 256;
    let first = ${low('six')};
    let second = middle;
    if (place > 1) { first = middle; second = top; }
    if (place > 3) { first = top; second = ${low('next')}; }
    const firstHigh = Math.floor(first * ${2 ** -4});
    const secondHigh = Math.floor(second * ${2 ** -4});
    return [${pair('first', 'firstHigh')}, ${pair('second', 'secondHigh')}];`;
}

export function weightFunctions(type: FourBitType): GpuFunction[] {
  return [nibbleOf, CODE_VALUE[type], quotientOf, remainderOf];
}

/** WGSL: `codes`, the numbers of the codes, in memory that threads share: each may look up another one. */
export function declareCodes(type: FourBitType): string {
  const values = CODE_VALUES[type].map((value) => `${Math.fround(value)}f`);
  return `const CODES = array<f32, 16>(${values.join(', ')});\nvar<workgroup> codes : array<f32, 16>;`;
}

/** WGSL: fills `codes`; `index` is the thread's. */
export const LOAD_CODES = 'if (index < 16u) { codes[index] = CODES[index]; }\n  workgroupBarrier();';

function valueFunction(type: FourBitType): GpuFunction {
  const values = CODE_VALUES[type].map((value) => literal(Math.fround(value)));
  const branch = (from: number, count: number): string =>
    count === 1
      ? `return ${values[from]};`
      : `if (code < ${from + count / 2 - 0.5}) { ${branch(from, count / 2)} } ${branch(from + count / 2, count / 2)}`;
  return gpuFunction(`function valueOfCode(code) { ${branch(0, 16)} }`, { code: FLOAT }, FLOAT);
}

function codeFunction(type: FourBitType): GpuFunction {
  const values = ORDER[type].map((code) => Math.fround(CODE_VALUES[type][code]!));
  const steps = values.slice(1).map((value, i) => {
    const bound = Math.fround(Math.fround(values[i]! + value) / 2);
    return `if (x > ${literal(bound)}) { code = ${ORDER[type][i + 1]}; }`;
  });
  return gpuFunction(
    `function codeOf(x) { let code = ${ORDER[type][0]}; ${steps.join(' ')} return code; }`,
    { x: FLOAT },
    FLOAT,
  );
}

/** In parentheses where it is negative, for some contexts of gpu.js's translation. */
function literal(value: number): string {
  return value < 0 ? `(${value})` : `${value}`;
}
