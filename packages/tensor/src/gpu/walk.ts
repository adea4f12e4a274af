import { simplify } from '../cpu/broadcast.js';
import type { DeviceBuffer } from '../device.js';
import type { Extent } from './backend.js';
import { type GpuFunction, type GpuKernel, gpuFunction, type ScalarType } from './kernel.js';
import type { Launcher, LaunchInput, Scratch } from './launcher.js';

const INTEGERS = { a: 'Integer', b: 'Integer' } as const;

const roughQuotient = gpuFunction(
  'function roughQuotient(a, b) { const q = Math.floor((a + 0.5) / b); return q; }',
  INTEGERS,
  'Integer',
);

const correction = gpuFunction(
  'function correction(a, b, q) { const more = Math.floor((a - b * q + 0.5) / b); return more; }',
  { ...INTEGERS, q: 'Integer' },
  'Integer',
);

const sumOf = gpuFunction('function sumOf(a, b) { return a + b; }', INTEGERS, 'Integer');

const corrected = gpuFunction(
  'function corrected(a, b, q) { return sumOf(q, correction(a, b, q)); }',
  { ...INTEGERS, q: 'Integer' },
  'Integer',
  { calls: [sumOf, correction] },
);

/** `floor(a / b)` for whole a >= 0, b > 0, exact: gpu.js divides floats, so the quotient of the rest is added. */
export const quotientOf = gpuFunction(
  'function quotientOf(a, b) { return corrected(a, b, roughQuotient(a, b)); }',
  INTEGERS,
  'Integer',
  {
    calls: [roughQuotient, corrected],
    wgsl: 'fn fn_quotientOf(user_a : i32, user_b : i32) -> i32 { return user_a / user_b; }',
  },
);

/** `a mod b`, as exact. */
export const remainderOf = gpuFunction(
  'function remainderOf(a, b) { return a - b * quotientOf(a, b); }',
  INTEGERS,
  'Integer',
  { calls: [quotientOf] },
);

// What is left of `a` after two, three and four strides. One call inside another is the most that gpu.js leaves alone: it
// puts the results of deeper ones into variables, which are floats.

const STRIDES = { a: 'Integer', s0: 'Integer', s1: 'Integer', s2: 'Integer', s3: 'Integer' } as const;

const rest2 = gpuFunction(
  'function rest2(a, s0, s1) { return remainderOf(remainderOf(a, s0), s1); }',
  { a: STRIDES.a, s0: STRIDES.s0, s1: STRIDES.s1 },
  'Integer',
  { calls: [remainderOf] },
);

const rest3 = gpuFunction(
  'function rest3(a, s0, s1, s2) { return remainderOf(rest2(a, s0, s1), s2); }',
  { a: STRIDES.a, s0: STRIDES.s0, s1: STRIDES.s1, s2: STRIDES.s2 },
  'Integer',
  { calls: [remainderOf, rest2] },
);

const rest4 = gpuFunction(
  'function rest4(a, s0, s1, s2, s3) { return remainderOf(rest3(a, s0, s1, s2), s3); }',
  STRIDES,
  'Integer',
  { calls: [remainderOf, rest3] },
);

export const REST_FUNCTIONS: readonly GpuFunction[] = [quotientOf, remainderOf, rest2, rest3, rest4];

/** Axes that one launch walks; more are walked by several launches. */
const AXES = 4;

export const WALK_FUNCTIONS: readonly GpuFunction[] = [quotientOf, remainderOf];

/** The scalars of a strided operand `name`: where it starts, and its four strides. */
export function strideScalars(name: string): Record<string, ScalarType> {
  return Object.fromEntries(['', 0, 1, 2, 3].map((axis) => [`${name}Step${axis}`, 'Integer' as const]));
}

/** The element of `name` that a thread of a walk reads; `length2` is a scalar of the kernel. */
export function strided(name: string): string {
  return (
    `${name}[${name}Step + this.thread.x * ${name}Step0 + this.thread.y * ${name}Step1 + ` +
    `remainderOf(this.thread.z, length2) * ${name}Step2 + quotientOf(this.thread.z, length2) * ${name}Step3]`
  );
}

/** An operand of a walk: an input, the element where it starts, and its strides over the shape. */
export interface WalkInput {
  readonly input: DeviceBuffer | Scratch;
  readonly start: number;
  readonly strides: readonly number[];
}

/**
 * Runs `kernel` for each element of `shape`, in order, into y. Its scalars are `length2`, then `strideScalars` of each
 * input, then those given.
 */
export function launchWalk(
  launcher: Launcher,
  kernel: GpuKernel,
  y: DeviceBuffer | Scratch,
  shape: readonly number[],
  inputs: readonly WalkInput[],
  scalars: readonly number[] = [],
): void {
  const walk = simplify(
    shape,
    inputs.map(({ strides }) => strides),
  );
  const buffers: readonly LaunchInput[] = inputs.map(({ input }) => input);
  const outer = walk.shape.slice(0, Math.max(0, walk.shape.length - AXES));
  const inner = walk.shape.slice(outer.length);
  const [x, width, depth, high] = [...inner].reverse().concat(1, 1, 1) as [number, number, number, number];
  const threads: Extent = [x, width, depth * high];
  const count = x * width * depth * high;
  let index = 0;
  for (const place of places(outer)) {
    const starts = inputs.map(({ start }, operand) => {
      const steps = walk.strides[operand]!;
      return place.reduce((sum, at, axis) => sum + at * steps[axis]!, start);
    });
    const steps = walk.strides.map((list, operand) => {
      const inwards = list.slice(outer.length).reverse().concat(0, 0, 0).slice(0, AXES);
      return [starts[operand]!, ...inwards];
    });
    launcher.launchAt(kernel, y, index, threads, buffers, [depth, ...steps.flat(), ...scalars]);
    index += count;
  }
}

/** Every index over `shape`, row-major; one empty index for no axes. */
function* places(shape: readonly number[]): Generator<number[]> {
  const [length, ...rest] = shape;
  if (length === undefined) {
    yield [];
    return;
  }
  for (let i = 0; i < length; i++) for (const inner of places(rest)) yield [i, ...inner];
}
