import { fixtureCases, readFixture } from '@burin/testing';
import { describe, it } from 'vitest';
import { expectGolden, runners } from './golden.js';
import { dirty } from './inputs.js';
import { kernelsOf } from './run-kernel.js';

const sumOf = (values: ArrayLike<number>) => Array.from(values).reduce((sum, value) => sum + value, 0);

describe.each(runners)('losses on %s', (runner) => {
  const run = kernelsOf(runner);

  it.each(fixtureCases('losses').filter((name) => name.startsWith('ce_')))('%s', async (name) => {
    const fixture = readFixture('losses', name);
    const [logits, labels] = [fixture.floats('logits'), fixture.ints('labels')];
    const [rows, cols] = fixture.shape('logits') as [number, number];
    const {
      ignore_index: ignoreIndex = -100,
      label_smoothing: smoothing = 0,
      reduction = 'mean',
    } = fixture.manifest.config;
    const classWeight = fixture.has('class_weight') ? fixture.floats('class_weight') : null;
    const options = [rows, cols, Number(ignoreIndex), Number(smoothing)] as const;
    const [loss, lse, dlogits] = [dirty(rows), dirty(rows), dirty(logits.length)];

    // The mean divides by the weights of the labels that count.
    const counted = Array.from(labels, (t) => (t === ignoreIndex ? 0 : classWeight ? classWeight[t]! : 1));
    const share = reduction === 'mean' ? 1 / sumOf(counted) : 1;
    const g = reduction === 'none' ? fixture.floats('d_loss') : new Float32Array(rows).fill(share);

    await run('crossEntropy', logits, labels, classWeight, loss, lse, ...options);
    await run('crossEntropyBackward', logits, labels, classWeight, lse, g, dlogits, ...options);
    expectGolden(fixture, { loss: reduction === 'none' ? loss : [sumOf(loss) * share], 'grad.logits': dlogits });
  });

  it('bce_with_logits', async () => {
    const fixture = readFixture('losses', 'bce_with_logits');
    const [logits, target, posWeight] = [
      fixture.floats('logits'),
      fixture.floats('target'),
      fixture.floats('pos_weight'),
    ];
    const [rows, cols] = fixture.shape('logits') as [number, number];
    const [loss, weighted, dlogits] = [dirty(logits.length), dirty(logits.length), dirty(logits.length)];
    const g = new Float32Array(logits.length).fill(1 / logits.length);
    await run('bceWithLogits', logits, target, null, loss, rows, cols);
    await run('bceWithLogits', logits, target, posWeight, weighted, rows, cols);
    await run('bceWithLogitsBackward', logits, target, null, g, dlogits, rows, cols);
    const means = { loss: [sumOf(loss) / logits.length], loss_pos_weight: [sumOf(weighted) / logits.length] };
    expectGolden(fixture, { ...means, 'grad.logits': dlogits });
  });
});
