import { type GpuFunction, gpuFunction } from './kernel.js';
import { quotientOf, remainderOf } from './walk.js';

// 4-bit codes stay packed on the GPU: six in a float (`Format` triples in buffer.ts), which holds 24 bits exactly. They are
// taken out with exact powers of two; nothing is divided, since some drivers' division rounds.

export type FourBitType = 'nf4' | 'fp4';

/** The number of each code, as assembly/four-bit.ts has them. */
export const CODE_VALUES: Readonly<Record<FourBitType, readonly number[]>> = {
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

export function weightFunctions(type: FourBitType): GpuFunction[] {
  return [nibbleOf, CODE_VALUE[type], quotientOf, remainderOf];
}

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
