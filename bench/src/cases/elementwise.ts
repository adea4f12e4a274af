import { gatedActivation } from '@burin/ffn';
import { crossEntropy } from '@burin/nn';
import { layerNorm, rmsNorm } from '@burin/norm';
import { backward, full, noGrad, softmax, type Tensor } from '@burin/tensor';
import type { Case, Prepared } from '../case.js';
import { expectSamples, inputs, over } from './inputs.js';

/** A few roundings of float32, and a polynomial for the exponential. */
const TOLERANCE = 1e-5;

const LARGE = 2 ** 24; // elements: past the caches
const MEDIUM = 2 ** 21; // those of a feed-forward layer of 1024 tokens
const [ROWS, COLS] = [4096, 512];

interface Kind {
  shapes: readonly (readonly number[])[];
  /** Numbers read and written, at the least. */
  moved: number;
  run(...x: Tensor[]): Tensor;
  /** Element i of the result, in float64. */
  expected(i: number, ...x: Float32Array[]): number;
  /** For results that are small. */
  tolerance?: number;
}

function forward(name: string, { shapes, moved, run, expected, tolerance = TOLERANCE }: Kind): Case {
  return {
    name,
    shape: shapes[0]!.join('x'),
    work: { bytes: 4 * moved },
    prepare(): Prepared {
      const x = inputs(...shapes);
      const result = () => noGrad(() => run(...x));
      return over(x, result, async () => {
        const values = (await Promise.all(x.map((tensor) => tensor.data()))) as Float32Array[];
        await expectSamples(result(), (i) => expected(i, ...values), tolerance);
      });
    },
  };
}

/** The backward pass too, from a gradient of ones. What is expected is the gradient of the first input. */
function training(name: string, { shapes, moved, run, expected }: Kind): Case {
  return {
    name: `${name}+backward`,
    shape: shapes[0]!.join('x'),
    work: { bytes: 4 * moved },
    prepare(): Prepared {
      const x = inputs(...shapes);
      for (const tensor of x) tensor.requiresGrad = true;
      const seed = full(shapes[0]!, 1);
      const step = () => {
        for (const tensor of x) tensor.zeroGrad();
        const y = run(...x);
        backward(y, seed);
        y.dispose();
      };
      return over([...x, seed], step, async () => {
        step();
        const values = (await Promise.all(x.map((tensor) => tensor.data()))) as Float32Array[];
        await expectSamples(x[0]!.grad!.clone(), (i) => expected(i, ...values), 1e-4);
      });
    },
  };
}

const row = (x: Float32Array, i: number) => x.subarray(Math.floor(i / COLS) * COLS, (Math.floor(i / COLS) + 1) * COLS);
const mean = (x: Float32Array, of: (value: number) => number) =>
  x.reduce((sum, value) => sum + of(value), 0) / x.length;
const sigmoid = (x: number) => 1 / (1 + Math.exp(-x));
const gelu = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));

export const elementwiseCases: readonly Case[] = [
  forward('elementwise/add', {
    shapes: [[LARGE], [LARGE]],
    moved: 3 * LARGE,
    run: (a, b) => a!.add(b!),
    expected: (i, a, b) => a![i]! + b![i]!,
  }),
  forward('elementwise/exp', {
    shapes: [[MEDIUM]],
    moved: 2 * MEDIUM,
    run: (x) => x!.exp(),
    expected: (i, x) => Math.exp(x![i]!),
  }),
  forward('elementwise/gelu', {
    shapes: [[MEDIUM]],
    moved: 2 * MEDIUM,
    run: (x) => x!.gelu({ approximate: 'tanh' }),
    expected: (i, x) => gelu(x![i]!),
  }),
  forward('elementwise/swiglu', {
    shapes: [
      [1024, 688],
      [1024, 688],
    ],
    moved: 3 * 1024 * 688,
    run: (gate, up) => gatedActivation(gate!, up!),
    expected: (i, gate, up) => gate![i]! * sigmoid(gate![i]!) * up![i]!,
  }),
  forward('reduction/sum', {
    shapes: [[LARGE]],
    moved: LARGE,
    run: (x) => x!.sum(),
    expected: (_i, x) => x!.reduce((sum, value) => sum + value, 0),
  }),
  forward('reduction/sum-rows', {
    shapes: [[ROWS, COLS]],
    moved: ROWS * COLS,
    run: (x) => x!.sum(0),
    expected: (i, x) =>
      Array.from({ length: ROWS }, (_, r) => x![r * COLS + i]!).reduce((sum, value) => sum + value, 0),
  }),
  forward('row/softmax', {
    shapes: [[ROWS, COLS]],
    moved: 2 * ROWS * COLS,
    run: (x) => softmax(x!),
    expected: (i, x) => Math.exp(x![i]!) / (COLS * mean(row(x!, i), Math.exp)),
    tolerance: 1e-7, // shares of one: a few thousandths each
  }),
  forward('row/rms-norm', {
    shapes: [[ROWS, COLS], [COLS]],
    moved: 2 * ROWS * COLS,
    run: (x, weight) => rmsNorm(x!, weight!),
    expected: (i, x, weight) => (x![i]! * weight![i % COLS]!) / Math.sqrt(mean(row(x!, i), (v) => v * v) + 1e-6),
  }),
  forward('row/layer-norm', {
    shapes: [[ROWS, COLS], [COLS], [COLS]],
    moved: 2 * ROWS * COLS,
    run: (x, weight, bias) => layerNorm(x!, weight!, bias!),
    expected: (i, x, weight, bias) => {
      const center = mean(row(x!, i), (v) => v);
      const spread = Math.sqrt(mean(row(x!, i), (v) => (v - center) ** 2) + 1e-5);
      return ((x![i]! - center) / spread) * weight![i % COLS]! + bias![i % COLS]!;
    },
  }),
  training('elementwise/gelu', {
    shapes: [[MEDIUM]],
    moved: 5 * MEDIUM, // x, y; x, g, dx
    run: (x) => x!.gelu({ approximate: 'tanh' }),
    expected: (i, x) => (gelu(x![i]! + 1e-4) - gelu(x![i]! - 1e-4)) / 2e-4,
  }),
  training('row/rms-norm', {
    shapes: [[ROWS, COLS], [COLS]],
    moved: 5 * ROWS * COLS,
    run: (x, weight) => rmsNorm(x!, weight!),
    expected: (i, x, weight) => {
      const values = row(x!, i);
      const r = 1 / Math.sqrt(mean(values, (v) => v * v) + 1e-6);
      const pull = values.reduce((sum, v, c) => sum + v * weight![c]!, 0) / COLS;
      return r * (weight![i % COLS]! - x![i]! * r * r * pull);
    },
  }),
];

/** Cross entropy of 1024 tokens over a vocabulary of 4096 and its gradient: logits read twice, their gradient written. */
export const lossCase: Case = {
  name: 'row/cross-entropy+backward',
  shape: '1024x4096',
  work: { bytes: 4 * 3 * 1024 * 4096 },
  prepare() {
    const logits = inputs([1024, 4096])[0]!;
    logits.requiresGrad = true;
    const labels = full([1024], 7, { dtype: 'int32' });
    const step = () => {
      logits.zeroGrad();
      const loss = crossEntropy(logits, labels);
      backward(loss);
      loss.dispose();
    };
    return over([logits, labels], step, async () => {
      step();
      const x = (await logits.data()) as Float32Array;
      const total = (i: number) => {
        const start = i - (i % 4096);
        return x.subarray(start, start + 4096).reduce((sum, value) => sum + Math.exp(value), 0);
      };
      const expected = (i: number) => Math.exp(x[i]!) / total(i) / 1024 - (i % 4096 === 7 ? 1 / 1024 : 0);
      await expectSamples(logits.grad!.clone(), expected, 1e-11); // most are about 1e-7
    });
  },
};
