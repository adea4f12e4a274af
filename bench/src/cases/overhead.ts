import { backward, noGrad, scope, type Tensor } from '@burin/tensor';
import type { Case, Prepared } from '../case.js';
import { expectSamples, inputs, over } from './inputs.js';

const LENGTH = 1000; // operations
const SIZE = 16; // elements: the work is nothing, what remains is the cost of an operation

function chain(x: Tensor): Tensor {
  let y = x;
  for (let i = 0; i < LENGTH / 2; i++) y = y.mul(0.5).add(x);
  return y;
}

/** x + x/2 + x/4 + ... after half as many terms as operations: 2x. */
const limit = (values: ArrayLike<number>) => (i: number) => 2 * values[i]!;

const shape = `${LENGTH} of ${SIZE}`;

export const overheadCases: readonly Case[] = [
  {
    name: 'overhead/forward',
    shape,
    work: { operations: LENGTH },
    prepare(): Prepared {
      const [x] = inputs([SIZE]) as [Tensor];
      const run = () => noGrad(() => scope(() => chain(x)));
      return over([x], run, async () => expectSamples(run(), limit(await x.data()), 1e-6));
    },
  },
  {
    name: 'overhead/forward+backward',
    shape,
    work: { operations: LENGTH },
    prepare(): Prepared {
      const [x] = inputs([SIZE]) as [Tensor];
      x.requiresGrad = true;
      const run = () => {
        x.zeroGrad();
        backward(scope(() => chain(x).sum()));
      };
      return over([x], run, async () => {
        scope(run);
        await expectSamples(x.grad!.clone(), () => 2, 1e-6);
      });
    },
  },
];
