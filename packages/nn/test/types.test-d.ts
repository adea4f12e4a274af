import {
  crossEntropy,
  Embedding,
  init,
  isLinearLike,
  Linear,
  type LinearLike,
  type Module,
  mse,
  type Parameter,
  RotaryEmbedding,
} from '@burin/nn';
import { Generator, type Tensor } from '@burin/tensor';
import { expectTypeOf, test } from 'vitest';

declare const x: Tensor;
declare const weight: Parameter;
const rng = new Generator(0);

test('layers say what they need', () => {
  expectTypeOf(new Linear(3, 2, { rng })).toExtend<LinearLike>();
  expectTypeOf(new Linear(3, 2, { rng }).bias).toEqualTypeOf<Parameter | null>();
  expectTypeOf(Embedding.from(weight, { paddingIndex: 0 }).forward(x)).toEqualTypeOf<Tensor>();
  expectTypeOf(init.normal([2], 0, 1, { rng })).toEqualTypeOf<Parameter>();
  // @ts-expect-error: random weights need a generator
  new Linear(3, 2, { bias: false });
  // @ts-expect-error: the option is `paddingIndex`
  new Embedding(3, 2, { paddingIdx: 0, rng });
});

test('losses give tensors, and their options are checked', () => {
  expectTypeOf(crossEntropy(x, x, { reduction: 'none' })).toEqualTypeOf<Tensor>();
  expectTypeOf(mse(x, x)).toEqualTypeOf<Tensor>();
  // @ts-expect-error: the option is `ignoreIndex`
  crossEntropy(x, x, { ignore_index: 0 });
  // @ts-expect-error: 'mean', 'sum' or 'none'
  mse(x, x, { reduction: 'average' });
});

test('a LinearLike is narrowed to', () => {
  const module: Module = new Linear(1, 1, { rng });
  if (isLinearLike(module)) expectTypeOf(module.floatWeight()).toEqualTypeOf<Tensor>();
});

test('the largest position must be told', () => {
  const rotary = new RotaryEmbedding({ headDim: 8 });
  // @ts-expect-error: maxPosition is needed
  rotary.apply(x, x);
});
