import { devices } from '@burin/testing';
import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { contiguousStrides, dirty, keptBy, normals, SIZES } from './inputs.js';
import { reference } from './reference-forward.js';
import { expectLikeReference, kernelsOf } from './run-kernel.js';
import { EXACT_ROUNDING, sumOf } from './tolerances.js';

type DType = reference.DType;

const DTYPES: DType[] = ['float32', 'float16', 'bfloat16', 'int32', 'uint8'];
const EXACT = { rtol: 0, atol: 0 };

/** An array as `dtype` is stored. */
function storage(dtype: DType, size: number): reference.Storage {
  if (dtype === 'float32') return new Float32Array(size);
  if (dtype === 'int32') return new Int32Array(size);
  return dtype === 'uint8' ? new Uint8Array(size) : new Uint16Array(size);
}

/** `values` as `dtype` stores them. */
function stored(dtype: DType, values: Float32Array): reference.Storage {
  const y = storage(dtype, values.length);
  reference.cast(values, 'float32', y, dtype, values.length);
  return y;
}

describe.each(devices)('fill on %s', (device) => {
  it.each(DTYPES)('sets %s', async (dtype) => {
    for (const value of [0, 1, 3.7, -2.5, 300, NaN, Infinity, -1e9]) {
      for (const size of [0, 1, 3, 17, 65]) {
        await expectLikeReference(device, EXACT_ROUNDING, 'fill', dtype, storage(dtype, size), value, size);
      }
    }
  });
});

describe.each(devices)('copy on %s', (device) => {
  it('copies any bytes from anywhere to anywhere', async () => {
    const x = Uint8Array.from({ length: 150 }, (_, i) => i);
    for (const [from, to, length] of [
      [0, 0, 150],
      [1, 0, 149],
      [0, 3, 65],
      [7, 5, 64],
      [149, 149, 1],
      [10, 10, 0],
    ] as const) {
      await expectLikeReference(device, EXACT, 'copy', x, from, new Uint8Array(150).fill(200), to, length);
    }
  });
});

/** The float32 numbers where conversions go wrong. */
const AWKWARD = Float32Array.of(
  ...[NaN, Infinity, -Infinity, 0, -0, 1, -1, 0.5, 1.5, 2.5, -0.5, -2.9, 255, 255.5, 256, -1e-3],
  ...[65504, 65519, 65520, 65536, 1e9, 2147483520, 2147483648, -2147483648, -2147483904, 3.4e38, -3.4e38],
  ...[
    2 ** -14,
    2 ** -24,
    2 ** -25,
    1.5 * 2 ** -24,
    2 ** -26,
    2 ** -126,
    2 ** -133,
    2 ** -134,
    2 ** -149,
    1.17549421e-38,
  ],
  ...[1 + 2 ** -11, 1 + 3 * 2 ** -11, 1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -9, 1.9999999],
);

describe.each(devices)('cast on %s', (device) => {
  const pairs = DTYPES.flatMap((from) => DTYPES.map((to) => [from, to] as const));

  it.each(pairs)('from %s to %s', async (from, to) => {
    for (const size of [0, ...SIZES, AWKWARD.length]) {
      const values = size === AWKWARD.length ? AWKWARD : normals(size, size, 40);
      const kept = stored(from, keptBy(device, values));
      const x = kept instanceof Int32Array ? keptBy(device, kept) : kept;
      await expectLikeReference(device, EXACT, 'cast', x, from, storage(to, x.length), to, x.length);
    }
  });

  it.each(['float16', 'bfloat16'] as const)('widens all 65,536 numbers of %s', async (from) => {
    const all = Uint16Array.from({ length: 65536 }, (_, bits) => bits);
    const value = (bits: number) => Math.abs(reference.decodeHalf(from, bits));
    // a GPU keeps no subnormal float32, which some of bfloat16 are, and no bits of a NaN
    const x = device === 'cpu' ? all : all.filter((bits) => bits % 0x8000 === 0 || value(bits) >= 2 ** -126);
    await expectLikeReference(device, EXACT, 'cast', x, from, dirty(x.length), 'float32', x.length);
  });

  it.each(['float16', 'bfloat16'] as const)('rounds to %s around each of its numbers', async (to) => {
    const exact = Float32Array.from({ length: 65536 }, (_, bits) => reference.decodeHalf(to, bits));
    const middles = exact.map((value, i) => (value + (exact[i + 1] ?? value)) / 2); // ties
    const bits = new Int32Array(middles.buffer);
    for (const nudge of [-1, 0, 1]) {
      const numbers = new Float32Array(bits.map((b) => b + nudge).buffer).filter((value) => !Number.isNaN(value));
      const x = keptBy(device, numbers);
      await expectLikeReference(device, EXACT, 'cast', x, 'float32', new Uint16Array(x.length), to, x.length);
    }
  });

  property.prop([fc.array(fc.float(), { maxLength: 40 }), fc.constantFrom(...DTYPES)], { seed: 1, numRuns: 100 })(
    'converts any float32',
    async (values, to) => {
      const x = keptBy(device, Float32Array.from(values));
      await expectLikeReference(device, EXACT, 'cast', x, 'float32', storage(to, x.length), to, x.length);
    },
  );

  property.prop([fc.array(fc.integer(), { maxLength: 40 }), fc.constantFrom(...DTYPES)], { seed: 1, numRuns: 100 })(
    'converts any int32',
    async (values, to) => {
      const x = keptBy(device, Int32Array.from(values));
      await expectLikeReference(device, EXACT, 'cast', x, 'int32', storage(to, x.length), to, x.length);
    },
  );
});

/** A permutation of up to four axes, and a slice of each. */
const view = fc
  .array(fc.record({ length: fc.integer({ min: 1, max: 6 }), start: fc.nat(2), rest: fc.nat(2) }), { maxLength: 4 })
  .chain((axes) =>
    fc.record({
      axes: fc.constant(axes),
      order: fc.shuffledSubarray(
        axes.map((_, i) => i),
        { minLength: axes.length },
      ),
      bytes: fc.constantFrom(1, 2, 4),
    }),
  );

/** Elements of `bytes` bytes, all different while they can be. */
function elements(bytes: number, size: number): reference.Storage {
  const from = (_: unknown, i: number) => i + 1;
  if (bytes === 1) return Uint8Array.from({ length: size }, from);
  return bytes === 2 ? Uint16Array.from({ length: size }, from) : Float32Array.from({ length: size }, from);
}

/** The strided side of a view: the shape that is walked, its strides and offset, and the size of what it lies in. */
function layoutOf({ axes, order }: { axes: { length: number; start: number; rest: number }[]; order: number[] }) {
  const whole = axes.map(({ length, start, rest }) => start + length + rest);
  const strides = contiguousStrides(whole);
  return {
    shape: order.map((axis) => axes[axis]!.length),
    strides: order.map((axis) => strides[axis]!),
    offset: axes.reduce((sum, { start }, axis) => sum + start * strides[axis]!, 0),
    size: whole.reduce((product, length) => product * length, 1),
    count: axes.reduce((product, { length }) => product * length, 1),
  };
}

describe.each(devices)('gatherStrided and scatterStrided on %s', (device) => {
  property.prop([view], { seed: 1, numRuns: 100 })('permute and slice', async (chosen) => {
    const { shape, strides, offset, size, count } = layoutOf(chosen);
    const { bytes } = chosen;
    const x = elements(bytes, size);
    const y = elements(bytes, count);
    await expectLikeReference(device, EXACT, 'gatherStrided', x, y, shape, strides, offset, bytes);
    await expectLikeReference(device, EXACT, 'scatterStrided', y, elements(bytes, size), shape, strides, offset, bytes);
  });

  it.each([1, 2, 4])('transpose, repeat and concatenate elements of %d bytes', async (bytes) => {
    const x = elements(bytes, 17 * 67);
    const y = () => elements(bytes, 17 * 67);
    await expectLikeReference(device, EXACT, 'gatherStrided', x, y(), [67, 17], [1, 67], 0, bytes);
    await expectLikeReference(device, EXACT, 'gatherStrided', x, y(), [5, 67], [0, 1], 67, bytes); // expand
    await expectLikeReference(device, EXACT, 'gatherStrided', x, y(), [17, 67], [1, 0], 3, bytes);
    await expectLikeReference(device, EXACT, 'scatterStrided', x, y(), [17, 30], [67, 1], 37, bytes);
  });

  it('copy nothing of an empty shape', async () => {
    const x = elements(4, 6);
    await expectLikeReference(device, EXACT, 'gatherStrided', x, elements(4, 3), [2, 0, 3], [3, 3, 1], 0, 4);
    await expectLikeReference(device, EXACT, 'scatterStrided', x, elements(4, 3), [0], [1], 0, 4);
  });
});

describe.each(devices)('gatherRows on %s', (device) => {
  it.each(['float32', 'float16', 'bfloat16'] as const)('looks rows up in a %s table', async (dtype) => {
    for (const cols of SIZES) {
      const ids = Int32Array.of(4, 0, 0, 3, 1);
      const table = stored(dtype, normals(5 * cols, cols));
      await expectLikeReference(device, EXACT, 'gatherRows', table, dtype, ids, dirty(5 * cols), 5, 5, cols);
    }
  });

  it('clamps an id outside the table into it', async () => {
    const ids = keptBy(device, Int32Array.of(-1, 3, 2 ** 31 - 1, -(2 ** 31), 2));
    await expectLikeReference(device, EXACT, 'gatherRows', normals(9, 1), 'float32', ids, dirty(15), 5, 3, 3);
  });

  it('looks nothing up', async () => {
    await expectLikeReference(
      device,
      EXACT,
      'gatherRows',
      normals(6, 1),
      'float32',
      new Int32Array(0),
      dirty(0),
      0,
      2,
      3,
    );
  });
});

describe.each(devices)('scatterAddRows on %s', (device) => {
  it('adds each row to the row of its id, the same one more than once', async () => {
    for (const cols of SIZES) {
      const ids = Int32Array.of(4, 0, 0, 3, 0);
      const [g, dtable] = [normals(5 * cols, 1), normals(5 * cols, 2)];
      await expectLikeReference(device, sumOf(4), 'scatterAddRows', g, ids, dtable, 5, 5, cols, -1);
    }
  });

  it('leaves out the id to skip', async () => {
    const dtable = new Float32Array(6);
    const g = Float32Array.of(1, 2, 3, 4, 5, 6);
    await expectLikeReference(device, EXACT, 'scatterAddRows', g, Int32Array.of(1, 2, 1), dtable, 3, 3, 2, 2);
    expect([...dtable]).toEqual([0, 0, 6, 8, 0, 0]);
  });

  it('adds in the order of the ids, so that the sum is the same in each run', async () => {
    const dtable = new Float32Array(1);
    const g = Float32Array.of(1e8, 1, -1e8); // (1e8 + 1) − 1e8 is 0 in float32
    await kernelsOf(device)('scatterAddRows', g, Int32Array.of(0, 0, 0), dtable, 3, 1, 1, -1);
    expect(dtable[0]).toBe(0);
  });
});
