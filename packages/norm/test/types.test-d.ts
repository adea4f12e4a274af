import { Module } from '@burin/nn';
import {
  BatchNorm,
  clipGradNorm_,
  LayerNorm,
  layerNorm,
  PreNormResidual,
  RmsNorm,
  rmsNorm,
  vectorNorm,
} from '@burin/norm';
import { ones, type Tensor } from '@burin/tensor';
import { expectTypeOf, test } from 'vitest';

const x = ones([2, 3]);

class Scaled extends Module {
  forward(x: Tensor, factor: number): Tensor {
    return x.mul(factor);
  }
}

test('operations give tensors', () => {
  expectTypeOf(rmsNorm(x, null)).toEqualTypeOf<Tensor>();
  expectTypeOf(layerNorm(x, ones([3]), ones([3]))).toEqualTypeOf<Tensor>();
  expectTypeOf(clipGradNorm_([x], 1)).toEqualTypeOf<Tensor>();
});

test('options are checked', () => {
  // @ts-expect-error: the option is `eps`
  rmsNorm(x, null, { epsilon: 1e-5 });
  // @ts-expect-error: RMSNorm has no bias
  new RmsNorm(3, { bias: true });
  // @ts-expect-error: a width is a number
  new LayerNorm([3]);
  // @ts-expect-error: momentum is a number
  new BatchNorm(3, { momentum: null });
  // @ts-expect-error: orders have no names
  vectorNorm(x, { ord: 'fro' });
});

test('a residual takes what its inner module takes', () => {
  const wrapped = new PreNormResidual(new RmsNorm(3), new Scaled());
  expectTypeOf(wrapped.forward).parameters.toEqualTypeOf<[Tensor, number]>();
  // @ts-expect-error: the factor is missing
  wrapped.forward(x);
});
