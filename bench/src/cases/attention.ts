import { scaledDotProductAttention } from '@burin/attention';
import { backward, type Tensor } from '@burin/tensor';
import type { Case } from '../case.js';
import { expectSamples, inputs, over } from './inputs.js';

/** A mean of up to 4096 numbers, weighted by a softmax, in float32. */
const TOLERANCE = 1e-5;

const D = 64;

/** Causal attention and its gradients. Work: two products forward and five backward, of which half is masked out. */
function attention(batch: number, heads: number, tokens: number): Case {
  const shape = [batch, heads, tokens, D];
  return {
    name: 'attention/forward+backward',
    shape: shape.join('x'),
    work: { flops: 7 * batch * heads * tokens * tokens * D },
    prepare() {
      const [q, k, v, g] = inputs(shape, shape, shape, shape) as [Tensor, Tensor, Tensor, Tensor];
      for (const operand of [q, k, v]) operand.requiresGrad = true;
      const forward = () => scaledDotProductAttention(q, k, v, { layout: 'bhtd', causal: true });
      const step = () => {
        for (const operand of [q, k, v]) operand.zeroGrad();
        const out = forward();
        backward(out, g);
        out.dispose();
      };
      return over([q, k, v, g], step, async () => {
        const [x, y, z, dy] = (await Promise.all([q, k, v, g].map((operand) => operand.data()))) as Float32Array[];
        const row = (at: number) => weightsOf(Math.floor(at / D), tokens, x!, y!);
        await expectSamples(forward(), (at) => outputAt(at, row(at), z!), TOLERANCE);
        step();
        await expectSamples(q.grad!.clone(), (at) => gradientAt(at, row(at), y!, z!, dy!), TOLERANCE);
      });
    },
  };
}

/** What a query gives to each key that it sees, in float64. */
interface Weights {
  readonly first: number; // row of the first key: that of this head
  readonly shares: readonly number[];
}

function weightsOf(row: number, tokens: number, q: Float32Array, k: Float32Array): Weights {
  const first = row - (row % tokens);
  const scores = Array.from({ length: row - first + 1 }, (_, j) => dot(q, row, k, first + j) / Math.sqrt(D));
  const exponentials = scores.map(Math.exp);
  const total = exponentials.reduce((sum, value) => sum + value, 0);
  return { first, shares: exponentials.map((value) => value / total) };
}

/** Element `at` of the output. */
function outputAt(at: number, { first, shares }: Weights, v: Float32Array): number {
  return shares.reduce((sum, share, j) => sum + share * v[(first + j) * D + (at % D)]!, 0);
}

/** Element `at` of the gradient of the queries: `Σ p (dp − Σ p dp) k / √D`, where `dp` is the row's gradient times each value. */
function gradientAt(at: number, { first, shares }: Weights, k: Float32Array, v: Float32Array, g: Float32Array): number {
  const changes = shares.map((_, j) => dot(g, Math.floor(at / D), v, first + j));
  const mean = shares.reduce((sum, share, j) => sum + share * changes[j]!, 0);
  const sum = shares.reduce((so, share, j) => so + share * (changes[j]! - mean) * k[(first + j) * D + (at % D)]!, 0);
  return sum / Math.sqrt(D);
}

/** Of a row of one and a row of the other. */
function dot(a: Float32Array, i: number, b: Float32Array, j: number): number {
  let sum = 0;
  for (let c = 0; c < D; c++) sum += a[i * D + c]! * b[j * D + c]!;
  return sum;
}

/** Fewer heads where texts are longer, so that each takes about as long. */
export const attentionCases: readonly Case[] = [
  attention(4, 8, 256),
  attention(1, 8, 512),
  attention(1, 8, 1024),
  attention(1, 4, 2048),
  attention(1, 2, 4096),
];
