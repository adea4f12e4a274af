import { DynamicCache, MultiHeadAttention, scaledDotProductAttention } from '@burin/attention';
import { Linear } from '@burin/nn';
import { Generator, ones, type Tensor } from '@burin/tensor';
import { expectTypeOf, test } from 'vitest';

const rng = new Generator(0);
const x = ones([1, 2, 3, 4]);
const linear = new Linear(4, 4, { rng });

test('the layout must be said', () => {
  expectTypeOf(scaledDotProductAttention(x, x, x, { layout: 'bhtd' })).toEqualTypeOf<Tensor>();
  // @ts-expect-error: no layout
  scaledDotProductAttention(x, x, x, { causal: true });
  // @ts-expect-error: no such layout
  scaledDotProductAttention(x, x, x, { layout: 'thbd' });
});

test('projections are all given, or made from widths and a generator', () => {
  new MultiHeadAttention({ width: 8, heads: 2, rng });
  new MultiHeadAttention({ qProj: linear, kProj: linear, vProj: linear, oProj: linear, heads: 2 });
  // @ts-expect-error: the output projection is missing
  new MultiHeadAttention({ qProj: linear, kProj: linear, vProj: linear, heads: 2 });
  // @ts-expect-error: new weights need a random generator
  new MultiHeadAttention({ width: 8, heads: 2 });
});

test('probabilities are looked at without a cache', () => {
  const attention = new MultiHeadAttention({ width: 8, heads: 2, rng });
  expectTypeOf(attention.forward(x, { cache: new DynamicCache() })).toEqualTypeOf<Tensor>();
  // @ts-expect-error: no cache
  attention.attentionWeights(x, { cache: new DynamicCache() });
});
