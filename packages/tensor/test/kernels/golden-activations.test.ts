import { readFixture } from '@burin/testing';
import { describe, it } from 'vitest';
import { expectGolden, runners } from './golden.js';
import { dirty } from './inputs.js';
import type { reference } from './reference-forward.js';
import { kernelsOf } from './run-kernel.js';

const NAMES: [fixtureName: string, op: reference.UnaryOp][] = [
  ['relu', 'relu'],
  ['gelu_erf', 'geluErf'],
  ['gelu_tanh', 'geluTanh'],
  ['quick_gelu', 'quickGelu'],
  ['silu', 'silu'],
  ['sigmoid', 'sigmoid'],
  ['tanh', 'tanh'],
];

describe.each(runners)('activations on %s', (runner) => {
  it.each(NAMES)('%s', async (name, op) => {
    const fixture = readFixture('ffn', 'activations');
    const [x, g] = [fixture.floats('x'), fixture.floats('d_out')];
    const [y, dx] = [dirty(x.length), dirty(x.length)];
    const parameter = op === 'silu' ? 1 : 0;
    await kernelsOf(runner)('unary', op, x, y, x.length, parameter);
    await kernelsOf(runner)('unaryBackward', op, x, g, dx, x.length, parameter);
    expectGolden(fixture, { [`${name}.out`]: y, [`${name}.grad.x`]: dx });
  });
});
