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
        const [x, y, z] = (await Promise.all([q.data(), k.data(), v.data()])) as [
          Float32Array,
          Float32Array,
          Float32Array,
        ];
        await expectSamples(forward(), (i) => outputAt(i, tokens, x, y, z), TOLERANCE);
      });
    },
  };
}

/** Element `at` of the output, in float64. */
function outputAt(at: number, tokens: number, q: Float32Array, k: Float32Array, v: Float32Array): number {
  const [row, d] = [Math.floor(at / D), at % D];
  const first = row - (row % tokens); // of this head
  let [total, sum] = [0, 0];
  for (let key = first; key <= row; key++) {
    let dot = 0;
    for (let c = 0; c < D; c++) dot += q[row * D + c]! * k[key * D + c]!;
    const weight = Math.exp(dot / Math.sqrt(D));
    total += weight;
    sum += weight * v[key * D + d]!;
  }
  return sum / total;
}

/** Fewer heads where texts are longer, so that each takes about as long. */
export const attentionCases: readonly Case[] = [
  attention(4, 8, 256),
  attention(1, 8, 512),
  attention(1, 8, 1024),
  attention(1, 4, 2048),
  attention(1, 2, 4096),
];
