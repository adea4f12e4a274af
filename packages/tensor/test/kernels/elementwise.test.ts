import { devices, ulpDistance } from '@burin/testing';
import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { awayFromZero, contiguousStrides, dirty, LONG, normals, positives, SIZES, withoutFlushed } from './inputs.js';
import { expectGradient, output, reference } from './reference-forward.js';
import { expectLikeReference, kernelsOf } from './run-kernel.js';
import { ELEMENTARY, EXACT_ROUNDING, gradientOf, ROUNDING } from './tolerances.js';

type UnaryOp = reference.UnaryOp;

/** Where the parameter is a bound, none of the inputs equals it. */
const PARAMETER = 0.75;

/** Exactly rounded by IEEE 754, or a copy of a bit. */
const EXACT: UnaryOp[] = [
  ...([
    'neg',
    'abs',
    'sqrt',
    'reciprocal',
    'square',
    'relu',
    'addScalar',
    'mulScalar',
    'clampMin',
    'clampMax',
  ] as const),
];
const ELEMENTARIES: UnaryOp[] = ['exp', 'log', 'rsqrt', 'sin', 'cos', 'tanh', 'sigmoid', 'erf', 'powScalar'];
const ACTIVATIONS: UnaryOp[] = ['geluErf', 'geluTanh', 'quickGelu', 'silu'];
const POSITIVE_ONLY: UnaryOp[] = ['log', 'sqrt', 'rsqrt', 'powScalar'];

const ALL = [...EXACT, ...ELEMENTARIES, ...ACTIVATIONS];

/** Activations are a product of a few factors, each off by an ulp or two; their error is relative even in the tails. */
const ACTIVATION = { rtol: 32 * 2 ** -24, atol: 2 ** -126 };

function toleranceOf(op: UnaryOp) {
  if (EXACT.includes(op)) return EXACT_ROUNDING;
  return ELEMENTARIES.includes(op) ? ELEMENTARY : ACTIVATION;
}

/** A GPU has no float64 to reduce the argument of sine and cosine with. */
const FAR_ON_A_GPU = 8000;

/** `x` such that `op` is smooth there. */
function inputsOf(op: UnaryOp, size: number, seed: number): Float32Array {
  return POSITIVE_ONLY.includes(op) ? positives(size, seed) : awayFromZero(size, seed);
}

describe.each(devices)('unary on %s', (device) => {
  it.each(ALL)('%s is its reference at every size', async (op) => {
    for (const size of [0, ...SIZES, ...LONG]) {
      const x = inputsOf(op, size, size);
      await expectLikeReference(device, toleranceOf(op), 'unary', op, x, dirty(size), size, PARAMETER);
    }
  });

  it.each(ALL)('%s works in place', async (op) => {
    const x = inputsOf(op, 17, 1);
    await expectLikeReference(device, toleranceOf(op), 'unary', op, x, x, 17, PARAMETER);
  });

  it.each(['exp', 'log', 'sigmoid', 'tanh', 'sin', 'cos', 'erf'] as const)(
    '%s is good over its whole range',
    async (op) => {
      const exponents = Float32Array.from({ length: 501 }, (_, i) => (i - 250) / 2);
      const x = op === 'log' ? exponents.map((e) => 2 ** e) : exponents;
      await expectLikeReference(device, ELEMENTARY, 'unary', op, x, dirty(x.length), x.length, 0);
    },
  );

  it.each(ACTIVATIONS)('%s stays within float32 of its reference out to its flat ends', async (op) => {
    const x = Float32Array.from({ length: 801 }, (_, i) => (i - 400) / 20);
    // The exponent of the tail is computed in float32: its rounding, times up to 200, is the relative error there.
    const tail = { rtol: 256 * 2 ** -24, atol: 2 ** -100 };
    await expectLikeReference(device, tail, 'unary', op, x, dirty(x.length), x.length, 1.5);
  });

  it.each(EXACT)('%s passes NaN on and knows the infinities, both zeros and subnormal numbers', async (op) => {
    const awkward = [NaN, Infinity, -Infinity, 0, -0, 1e-40, -1e-40, 3e38, -3e38];
    const usual = op === 'reciprocal' ? awkward.map((value) => 1 / value) : awkward;
    const x = Float32Array.from(withoutFlushed(device, awkward, usual));
    await expectLikeReference(device, EXACT_ROUNDING, 'unary', op, x, dirty(x.length), x.length, PARAMETER);
  });

  it.each<[UnaryOp, number[]]>([
    ['exp', [NaN, Infinity, -Infinity, 0, -0, 88.7, 89, -87, -104, 1e-40]],
    ['log', [NaN, Infinity, -Infinity, 0, -0, -1, 1, 1e-40, 3e38]],
    ['sqrt', [NaN, Infinity, -1, 0, -0, 1e-40]],
    ['rsqrt', [NaN, Infinity, -1, 0, -0, 1e-40, 3e38]],
    ['sin', [NaN, Infinity, -Infinity, 0, -0, 1e-40, 1e5, -3e6, 1e20]],
    ['cos', [NaN, Infinity, -Infinity, 0, -0, 1e-40, 1e5, -3e6, 1e20]],
    ['tanh', [NaN, Infinity, -Infinity, 0, -0, 1e-40, 50, -50]],
    ['sigmoid', [NaN, Infinity, -Infinity, 0, -0, 1e-40, 100, -80, -100]],
    ['erf', [NaN, Infinity, -Infinity, 0, -0, 1e-40, 10, -10]],
    ['silu', [NaN, Infinity, 0, -0, 1e-40, 100, -80]],
    ['geluErf', [NaN, Infinity, 0, -0, 1e-40, 30, -5]],
    ['geluTanh', [NaN, Infinity, 0, -0, 1e-40, 30, -5]],
    ['quickGelu', [NaN, Infinity, 0, -0, 1e-40, 30, -5]],
  ])('%s at the ends of its domain', async (op, values) => {
    const far = device === 'gpu' && (op === 'sin' || op === 'cos') ? FAR_ON_A_GPU : Infinity;
    const x = Float32Array.from(
      withoutFlushed(device, values).filter((value) => !(Math.abs(value) > far && value ** 2 < Infinity)),
    );
    const nearZero = { rtol: ACTIVATION.rtol, atol: 2 ** -126 }; // subnormal results may be flushed
    await expectLikeReference(device, nearZero, 'unary', op, x, dirty(x.length), x.length, 1);
  });

  it('powScalar takes any exponent', async () => {
    const x = Float32Array.from(withoutFlushed(device, [0, 0.5, 1, 2, 9, -2, -0.5, 1e-40, NaN]));
    for (const exponent of [-2, -1, -0.5, 0, 0.5, 1, 1.5, 2, 3, 4]) {
      await expectLikeReference(device, ELEMENTARY, 'unary', 'powScalar', x, dirty(x.length), x.length, exponent);
    }
  });

  it('keeps the sign of zero', async () => {
    const y = dirty(2);
    for (const op of ['neg', 'abs', 'sin', 'tanh', 'erf', 'mulScalar'] as const) {
      await kernelsOf(device)('unary', op, Float32Array.of(0, -0), y, 2, 1);
      const expected = op === 'abs' ? [0, 0] : op === 'neg' ? [-0, 0] : [0, -0];
      expect([...y], op).toEqual(expected);
    }
  });
});

describe.each(devices)('unaryBackward on %s', (device) => {
  it.each(ALL)('%s has the gradient of the reference', async (op) => {
    for (const size of [0, ...SIZES]) {
      const x = inputsOf(op, size, size + 1);
      const [g, dx] = [normals(size, 2), dirty(size)];
      await expectLikeReference(device, gradientOf(), 'unaryBackward', op, x, g, dx, size, PARAMETER);
      const forward = (at: Float64Array) => output(size, (y) => reference.unary(op, at, y, size, PARAMETER));
      expectGradient(dx, forward, x, g, gradientOf());
    }
  });

  it('is 0 at the kink of relu and abs, 1 at the bound of a clamp', async () => {
    const dx = dirty(3);
    const x = Float32Array.of(0, -0, 0);
    const g = Float32Array.of(1, 2, 3);
    for (const op of ['relu', 'abs', 'clampMin', 'clampMax'] as const) {
      await expectLikeReference(device, EXACT_ROUNDING, 'unaryBackward', op, x, g, dx, 3, 0);
      expect(dx.map(Math.abs), op).toEqual(op.startsWith('clamp') ? g : new Float32Array(3));
    }
  });

  it.each(ALL.filter((op) => !['neg', 'addScalar', 'mulScalar'].includes(op)))('%s is NaN where x is', async (op) => {
    const [x, g, dx] = [Float32Array.of(1, NaN, -NaN, 2, NaN), new Float32Array(5).fill(1), dirty(5)];
    await kernelsOf(device)('unaryBackward', op, x, g, dx, 5, PARAMETER);
    expect([...dx].map(Number.isNaN)).toEqual([false, true, true, false, true]);
  });

  it('overwrites g where that is asked for', async () => {
    const g = normals(17, 3);
    await expectLikeReference(device, gradientOf(), 'unaryBackward', 'tanh', normals(17, 4), g, g, 17, 0);
  });
});

/** A shape of up to four axes, some of them repeated (stride 0) in one operand. */
const broadcastShape = fc.array(
  fc.record({ length: fc.integer({ min: 1, max: 5 }), repeat: fc.constantFrom('', 'a', 'b', 'c') }),
  {
    maxLength: 4,
  },
);

/** Strides of an operand over `axes`, 0 where it is the one that is repeated; and how many elements it has. */
function operandOf(axes: readonly { length: number; repeat: string }[], name: string) {
  const own = axes.map(({ length, repeat }) => (repeat === name ? 1 : length));
  const strides = contiguousStrides(own).map((stride, axis) => (axes[axis]!.repeat === name ? 0 : stride));
  return { strides, size: own.reduce((product, length) => product * length, 1) };
}

describe.each(devices)('binary on %s', (device) => {
  const ops = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const;

  it.each(ops)('%s at every size, in place too', async (op) => {
    for (const size of [0, ...SIZES]) {
      const [a, b] = [normals(size, 1), awayFromZero(size, 2)];
      await expectLikeReference(device, EXACT_ROUNDING, 'binary', op, a, b, dirty(size), [size], [1], [1]);
      await expectLikeReference(device, EXACT_ROUNDING, 'binary', op, a, b, a, [size], [1], [1]);
      await expectLikeReference(device, EXACT_ROUNDING, 'binary', op, a, b, b, [size], [1], [1]);
    }
  });

  it('pow', async () => {
    for (const size of SIZES) {
      const [a, b] = [positives(size, 1), normals(size, 2, 3)];
      // The rounding of b · log a, which is up to 20 here, is the relative error.
      await expectLikeReference(
        device,
        { rtol: 1e-5, atol: 2 ** -126 },
        'binary',
        'pow',
        a,
        b,
        dirty(size),
        [size],
        [1],
        [1],
      );
    }
  });

  property.prop([broadcastShape, fc.constantFrom(...ops)], { seed: 1, numRuns: 60 })(
    'repeats the axes whose stride is 0',
    async (axes, op) => {
      const shape = axes.map(({ length }) => length);
      const [a, b] = [operandOf(axes, 'a'), operandOf(axes, 'b')];
      const y = dirty(shape.reduce((product, length) => product * length, 1));
      await expectLikeReference(
        ...([device, EXACT_ROUNDING, 'binary', op] as const),
        ...([normals(a.size, 1), awayFromZero(b.size, 2), y, shape, a.strides, b.strides] as const),
      );
    },
  );

  it.each<[string, number[], number[], number[]]>([
    ['a scalar on the left', [13, 7], [0, 0], [7, 1]],
    ['a scalar on the right', [13, 7], [7, 1], [0, 0]],
    ['a row', [13, 67], [67, 1], [0, 1]],
    ['a column', [13, 67], [67, 1], [1, 0]],
    ['an outer product', [13, 67], [1, 0], [0, 1]],
    ['a transposed operand', [13, 67], [67, 1], [1, 13]],
    ['no axes', [], [], []],
    ['an empty axis', [3, 0, 2], [0, 2, 1], [0, 2, 1]],
  ])('broadcasts %s', async (_, shape, aStrides, bStrides) => {
    const size = shape.reduce((product, length) => product * length, 1);
    const [a, b] = [normals(13 * 67, 1), awayFromZero(13 * 67, 2)];
    for (const op of ops) {
      await expectLikeReference(device, EXACT_ROUNDING, 'binary', op, a, b, dirty(size), shape, aStrides, bStrides);
    }
  });

  it('passes NaN on in maximum and minimum, and orders infinities', async () => {
    const a = Float32Array.of(NaN, 1, NaN, Infinity, -Infinity, 2, 5, NaN);
    const b = Float32Array.of(1, NaN, NaN, 3, 3, Infinity, -Infinity, Infinity);
    for (const op of ['maximum', 'minimum'] as const) {
      await expectLikeReference(device, EXACT_ROUNDING, 'binary', op, a, b, dirty(8), [8], [1], [1]);
    }
  });

  it('divides by zero as IEEE 754 says', async () => {
    const [a, b] = [Float32Array.of(1, -1, 0, 1, NaN), Float32Array.of(0, 0, 0, -0, 0)];
    await expectLikeReference(device, EXACT_ROUNDING, 'binary', 'div', a, b, dirty(5), [5], [1], [1]);
  });
});

describe.each(devices)('where on %s', (device) => {
  property.prop([broadcastShape], { seed: 2, numRuns: 60 })(
    'takes a where the condition holds, else b',
    async (axes) => {
      const shape = axes.map(({ length }) => length);
      const [a, b, c] = [operandOf(axes, 'a'), operandOf(axes, 'b'), operandOf(axes, 'c')];
      const condition = Uint8Array.from({ length: c.size }, (_, i) => [0, 1, 255, 0, 2][i % 5]!);
      const y = dirty(shape.reduce((product, length) => product * length, 1));
      await expectLikeReference(
        ...([device, EXACT_ROUNDING, 'where', condition, normals(a.size, 1), normals(b.size, 2), y, shape] as const),
        ...([c.strides, a.strides, b.strides] as const),
      );
    },
  );

  it('does not let NaN or infinity of the other side through', async () => {
    const y = dirty(2);
    const [a, b] = [Float32Array.of(1, NaN), Float32Array.of(Infinity, 2)];
    await kernelsOf(device)('where', Uint8Array.of(1, 0), a, b, y, [2], [1], [1], [1]);
    expect([...y]).toEqual([1, 2]);
  });
});

/** Two roundings of terms up to 4, which may cancel. */
const ROUNDED_SUM = { rtol: 2 * ROUNDING, atol: 4 * ROUNDING };

describe.each(devices)('addScaled on %s', (device) => {
  it('adds alpha times x to y', async () => {
    for (const size of [0, ...SIZES]) {
      await expectLikeReference(device, ROUNDED_SUM, 'addScaled', normals(size, 1), normals(size, 2), -0.3, size);
    }
  });
});

const GATES = ['silu', 'geluErf', 'geluTanh', 'relu', 'sigmoid'] as const;

describe.each(devices)('gated on %s', (device) => {
  it.each(GATES)('%s is its reference', async (op) => {
    for (const size of [0, ...SIZES]) {
      const [gate, up] = [normals(size, 1, 3), normals(size, 2)];
      await expectLikeReference(device, ACTIVATION, 'gated', op, gate, up, dirty(size), size);
    }
  });

  it.each(GATES)('%s has the gradient of the reference', async (op) => {
    for (const size of [0, ...SIZES]) {
      const [gate, up, g] = [awayFromZero(size, 3), normals(size, 4), normals(size, 5)];
      const [dgate, dup] = [dirty(size), dirty(size)];
      await expectLikeReference(device, gradientOf(), 'gatedBackward', op, gate, up, g, dgate, dup, size);
      const forward = (gateAt: ArrayLike<number>, upAt: ArrayLike<number>) =>
        output(size, (y) => reference.gated(op, Float64Array.from(gateAt), Float64Array.from(upAt), y, size));
      expectGradient(dgate, (at) => forward(at, up), gate, g, gradientOf(), 'dgate');
      expectGradient(dup, (at) => forward(gate, at), up, g, gradientOf(), 'dup');
    }
  });

  it('passes NaN and infinity on', async () => {
    const gate = Float32Array.of(NaN, 1, Infinity, 1, 0);
    const up = Float32Array.of(1, NaN, 1, Infinity, 7);
    for (const op of GATES) await expectLikeReference(device, ACTIVATION, 'gated', op, gate, up, dirty(5), 5);
  });
});

describe.each(devices)('accuracy on %s', (device) => {
  // What the elementary functions state, and a unit to spare.
  it.each<[UnaryOp, number]>([
    ['exp', 2],
    ['log', 2],
    ['tanh', 2],
    ['sigmoid', 3],
    ['erf', 2],
    ['sin', 2],
    ['cos', 2],
    ['rsqrt', 1],
  ])('%s is off by at most %d units in the last place', async (op, limit) => {
    const x = op === 'log' || op === 'rsqrt' ? positives(2000, 9) : normals(2000, 9, 4);
    const y = dirty(x.length);
    await kernelsOf(device)('unary', op, x, y, x.length, 0);
    const exact = output(x.length, (values) => reference.unary(op, Float64Array.from(x), values, x.length, 0));
    expect(Math.max(...y.map((value, i) => ulpDistance(value, exact[i]!)))).toBeLessThanOrEqual(limit);
  });
});
