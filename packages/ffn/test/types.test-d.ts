import { type Activation, FeedForward, GatedFeedForward, gatedActivation } from '@burin/ffn';
import { Generator, ones, type Tensor } from '@burin/tensor';
import { expectTypeOf, test } from 'vitest';

const rng = new Generator(0);
const x = ones([2, 3]);

test('activations are names or functions', () => {
  expectTypeOf(gatedActivation(x, x, 'silu')).toEqualTypeOf<Tensor>();
  expectTypeOf(gatedActivation(x, x, (gate) => gate.tanh())).toEqualTypeOf<Tensor>();
  expectTypeOf(new FeedForward(3, 8, { rng }).activation).toEqualTypeOf<Activation>();
  // @ts-expect-error: no such activation
  gatedActivation(x, x, 'swiglu');
});

test('options are checked', () => {
  // @ts-expect-error: new weights need a random generator
  new FeedForward(3, 8, { activation: 'relu' });
  // @ts-expect-error: the hidden width is missing
  new FeedForward(3, { rng });
  // @ts-expect-error: the parts are gateProj, upProj, downProj
  new GatedFeedForward({ gate: x, up: x, down: x });
});
