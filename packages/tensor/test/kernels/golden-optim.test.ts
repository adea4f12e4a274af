import { type Fixture, readFixture } from '@burin/testing';
import { describe, it } from 'vitest';
import { expectGolden, runners } from './golden.js';
import { zeros } from './inputs.js';
import { kernelsOf } from './run-kernel.js';

/** Runs the steps of a case on each of its parameters; `step` sees one gradient at a time. */
async function train(
  fixture: Fixture,
  step: (parameter: Float32Array, gradient: Float32Array, index: number, t: number) => Promise<void>,
): Promise<void> {
  for (let index = 0; fixture.has(`param.${index}.init`); index++) {
    const parameter = fixture.floats(`param.${index}.init`).slice();
    const gradients = fixture.floats(`grads.${index}`);
    for (let t = 1; t <= fixture.number('steps'); t++) {
      await step(parameter, gradients.slice((t - 1) * parameter.length, t * parameter.length), index, t);
      const name = `param.${index}.step${t}`;
      if (fixture.has(name)) expectGolden(fixture, { [name]: parameter });
    }
  }
}

const lazily = (buffers: Map<number, Float32Array>, index: number, size: number) => {
  if (!buffers.has(index)) buffers.set(index, zeros(size));
  return buffers.get(index)!;
};

describe.each(runners)('optimizers on %s', (runner) => {
  const run = kernelsOf(runner);

  it.each(['adam', 'adam_l2', 'adamw', 'adamw_betas_eps', 'paged_adamw_32bit'])('%s', async (name) => {
    const fixture = readFixture('optim', name);
    const [beta1, beta2] = fixture.manifest.config.betas as [number, number];
    const [averages, squares] = [new Map<number, Float32Array>(), new Map<number, Float32Array>()];
    await train(fixture, async (parameter, gradient, index, t) => {
      const size = parameter.length;
      const [expAvg, expAvgSq] = [lazily(averages, index, size), lazily(squares, index, size)];
      await run('adam', {
        ...{ parameter, gradient, offset: 0, expAvg, expAvgSq, expAvgOffset: 0, expAvgSqOffset: 0, size },
        ...{ learningRate: fixture.number('lr'), beta1, beta2, eps: fixture.number('eps') },
        ...{ weightDecay: fixture.number('weight_decay'), decoupled: name.includes('adamw') },
        ...{ biasCorrection1: 1 - beta1 ** t, biasCorrection2: 1 - beta2 ** t },
      });
    });
    for (const [index, expAvg] of averages) {
      if (!fixture.has(`state.${index}.exp_avg`)) continue;
      expectGolden(fixture, { [`state.${index}.exp_avg`]: expAvg, [`state.${index}.exp_avg_sq`]: squares.get(index)! });
    }
  });

  it.each(['sgd_momentum', 'sgd_nesterov_l2'])('%s', async (name) => {
    const fixture = readFixture('optim', name);
    const buffers = new Map<number, Float32Array>();
    await train(fixture, async (parameter, gradient, index, t) => {
      const size = parameter.length;
      await run('sgd', {
        ...{ parameter, gradient, offset: 0, momentumBuffer: lazily(buffers, index, size), momentumOffset: 0, size },
        ...{
          learningRate: fixture.number('lr'),
          momentum: fixture.number('momentum'),
          dampening: fixture.number('dampening'),
        },
        ...{
          nesterov: fixture.manifest.config.nesterov === true,
          weightDecay: fixture.number('weight_decay'),
          first: t === 1,
        },
      });
    });
  });
});
