import { family, type GpuKernel, gpuKernel } from './kernel.js';

// Products in gpu.js's subset. Thread (x, y, z) computes column x, or columns 4x .. 4x + 3, of row y of product z. Offsets
// of a product in its buffer stay inside the index, where they are integers.

const STRIDES = { aStride: 'Integer', bStride: 'Integer', alpha: 'Float' } as const;

const FOUR = [0, 1, 2, 3];

/** Inputs of a product: its operands, then what is added at the end. */
const inputs = (bias: boolean, accumulate: boolean) => [
  'a',
  'b',
  ...(bias ? ['bias'] : []),
  ...(accumulate ? ['c'] : []),
];

/** One cell a thread: any sizes, any transposes. */
export const plainProduct = family(
  (transposeA: boolean, transposeB: boolean, bias: boolean, accumulate: boolean): GpuKernel =>
    gpuKernel(
      `product(${transposeA},${transposeB},${bias},${accumulate})`,
      inputs(bias, accumulate),
      { k: 'Integer', ...STRIDES },
      `let sum = 0;
       for (let t = 0; t < k; t++) {
         sum += ${atA(transposeA)} * ${transposeB ? 'b[0][this.thread.x][t + this.thread.z * bStride]' : 'b[0][t][this.thread.x + this.thread.z * bStride]'};
       }
       return alpha * sum${bias ? ' + bias[this.thread.x]' : ''}${accumulate ? ' + c[this.thread.z][this.thread.y][this.thread.x]' : ''};`,
    ),
);

/** GL: four columns a thread, four of k at a time, four floats a read. a is not transposed. n, k and strides in fours. */
export const foursByFours = family((transposeB: boolean, bias: boolean, accumulate: boolean) => {
  const loads = FOUR.map((i) =>
    transposeB
      ? `const b${i} = b[0][this.thread.x * 4 + ${i}][t + this.thread.z * bStride];`
      : `const b${i} = b[0][t * 4 + ${i}][this.thread.x + this.thread.z * bStride];`,
  );
  const products = (c: number) => FOUR.map((i) => `v[${i}] * ${transposeB ? `b${c}[${i}]` : `b${i}[${c}]`}`);
  const step = [
    'const v = a[0][this.thread.y][t + this.thread.z * aStride];',
    ...loads,
    ...FOUR.map((c) => `s${c} += ${products(c).join(' + ')};`),
  ].join('\n');
  return kernelOfFours(`productOfFours(${transposeB},${bias},${accumulate})`, ['a', 'b'], step, bias, accumulate);
});

/** `y[z] = a[z]ᵀ`. */
export const transposeRows = gpuKernel(
  'transposeRows',
  ['a'],
  { aStride: 'Integer' },
  'return a[0][this.thread.x][this.thread.y + this.thread.z * aStride];',
);

/** GL: four columns a thread, b four at a time as stored, a one by one: any k, and a transposed. */
export const scalarTimesFours = family((transposeA: boolean, bias: boolean, accumulate: boolean) =>
  kernelOfFours(
    `productScalars(${transposeA},${bias},${accumulate})`,
    ['b'],
    `const v = ${atA(transposeA)};
     const row = b[0][t][this.thread.x + this.thread.z * bStride];
     ${FOUR.map((c) => `s${c} += v * row[${c}];`).join('\n')}`,
    bias,
    accumulate,
  ),
);

function atA(transposeA: boolean): string {
  return transposeA
    ? 'a[0][t][this.thread.y + this.thread.z * aStride]'
    : 'a[0][this.thread.y][t + this.thread.z * aStride]';
}

/** Four sums over t, with what is added to them. `vectors`: the operands that are read four at a time. */
function kernelOfFours(name: string, vectors: string[], step: string, bias: boolean, accumulate: boolean): GpuKernel {
  const sum = (c: number) => `alpha * s${c}${bias ? ` + added[${c}]` : ''}${accumulate ? ` + before[${c}]` : ''}`;
  return gpuKernel(
    name,
    inputs(bias, accumulate),
    { length: 'Integer', ...STRIDES },
    `let s0 = 0; let s1 = 0; let s2 = 0; let s3 = 0;
     for (let t = 0; t < length; t++) {
       ${step}
     }
     ${bias ? 'const added = bias[0][0][this.thread.x];' : ''}
     ${accumulate ? 'const before = c[this.thread.z][this.thread.y][this.thread.x];' : ''}
     return [${FOUR.map(sum).join(', ')}];`,
    { width: 4, vectors: [...vectors, 'bias', 'c'] },
  );
}
