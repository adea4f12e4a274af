import { readFixture } from '@burin/testing';
import { describe, it } from 'vitest';
import { expectGolden, runners } from './golden.js';
import { dirty, zeros } from './inputs.js';
import { kernelsOf } from './run-kernel.js';

describe.each(runners)('normalization on %s', (runner) => {
  const run = kernelsOf(runner);

  it.each(['rmsnorm_eps1e-5', 'rmsnorm_eps1e-6'])('%s', async (name) => {
    const fixture = readFixture('norm', name);
    const [x, weight, g] = [fixture.floats('x'), fixture.floats('weight'), fixture.floats('d_out')];
    const cols = weight.length;
    const rows = x.length / cols;
    const [y, rstd, dx, dweight] = [dirty(x.length), dirty(rows), dirty(x.length), zeros(cols)];
    await run('rmsNorm', x, weight, y, rstd, rows, cols, fixture.number('eps'));
    await run('rmsNormBackward', x, weight, rstd, g, dx, dweight, rows, cols);
    expectGolden(fixture, { out: y, 'grad.x': dx, 'grad.weight': dweight });
  });

  it.each(['layernorm_eps1e-5', 'layernorm_eps1e-12'])('%s', async (name) => {
    const fixture = readFixture('norm', name);
    const [x, g] = [fixture.floats('x'), fixture.floats('d_out')];
    const [weight, bias] = [fixture.floats('weight'), fixture.floats('bias')];
    const cols = weight.length;
    const rows = x.length / cols;
    const [y, mean, rstd, dx] = [dirty(x.length), dirty(rows), dirty(rows), dirty(x.length)];
    const [dweight, dbias] = [zeros(cols), zeros(cols)];
    await run('layerNorm', x, weight, bias, y, mean, rstd, rows, cols, fixture.number('eps'));
    await run('layerNormBackward', x, weight, mean, rstd, g, dx, dweight, dbias, rows, cols);
    expectGolden(fixture, { out: y, 'grad.x': dx, 'grad.weight': dweight, 'grad.bias': dbias });
  });

  it.each(['batchnorm1d_2d', 'batchnorm1d_3d'])('%s', async (name) => {
    const fixture = readFixture('norm', name);
    const [batch, channels] = [fixture.number('batch'), fixture.number('channels')];
    const [weight, bias, g] = [fixture.floats('weight'), fixture.floats('bias'), fixture.floats('d_out')];
    const sizes = [batch, channels, g.length / batch / channels] as const;
    const eps = fixture.number('eps');
    const last = fixture.number('train_batches') - 1;

    const check = async (mode: 'train' | 'eval', x: Float32Array, output: string) => {
      const [mean, variance] = [dirty(channels), dirty(channels)];
      if (mode === 'train') await run('channelMoments', x, mean, variance, ...sizes);
      else {
        mean.set(fixture.floats(`running_mean.${last}`));
        variance.set(fixture.floats(`running_var.${last}`));
      }
      const [y, dx, dweight, dbias] = [dirty(x.length), dirty(x.length), zeros(channels), zeros(channels)];
      await run('channelNorm', x, mean, variance, weight, bias, y, ...sizes, eps);
      const inputs = [x, mean, variance, weight, g] as const;
      await run('channelNormBackward', ...inputs, dx, dweight, dbias, ...sizes, eps, mode === 'train');
      const gradients = { [`grad.${mode}.x`]: dx, [`grad.${mode}.weight`]: dweight, [`grad.${mode}.bias`]: dbias };
      expectGolden(fixture, { [output]: y, ...gradients });
    };
    await check('train', fixture.floats(`x.${last}`), `train_out.${last}`);
    await check('eval', fixture.floats('x_eval'), 'eval_out');
  });

  it('vector_norms', async () => {
    const fixture = readFixture('norm', 'vector_norms');
    const x = fixture.floats('x');
    const [rows, cols] = fixture.shape('x') as [number, number];
    const [l1, squares, linf] = [dirty(rows), dirty(rows), dirty(rows)];
    await run('reduce', 'sumAbs', x, l1, rows, cols, 1);
    await run('reduce', 'sumSquares', x, squares, rows, cols, 1);
    await run('reduce', 'maxAbs', x, linf, rows, cols, 1);
    expectGolden(fixture, { 'l1.rows': l1, 'l2.rows': squares.map(Math.sqrt), 'linf.rows': linf });

    const [sum, max, dx] = [dirty(1), dirty(1), dirty(x.length)];
    await run('sumSquares', x, sum, x.length, false);
    await run('reduce', 'maxAbs', x, max, 1, x.length, 1);
    await run('reduceExtremumBackward', 'maxAbs', x, max, Float32Array.of(1), dx, 1, x.length, 1);
    expectGolden(fixture, { 'l2.all': sum.map(Math.sqrt), 'linf.all': max, 'grad.linf.all.x': dx });
  });
});
