import type { DeviceBuffer } from '../device.js';
import type { ReduceOp } from '../kernels/reduction.js';
import { expOf, isNan } from './functions.js';
import { type GpuFunction, type GpuKernel, gpuKernel } from './kernel.js';
import { type Launcher, type LaunchInput, type Scratch, view } from './launcher.js';

// Reductions in stages: each thread joins a part of the axis, and what the parts gave is reduced again until one is left.

/** Elements that a thread joins: few, so that there are threads enough; sums of `LANE` first, so that errors stay small. */
const PART = 128;
const LANE = 16;

/** A reduction of `[outer, length, inner]` over the middle axis, its first stage. */
export interface StagedReduction {
  readonly first: GpuKernel;
  readonly join: GpuKernel;
}

const made = new Map<string, GpuKernel>();

/**
 * @param value - the element's contribution, in terms of `x` (of the first input, `[outer, length, inner]`); `AT` stands
 *   for the place on the reduced axis, this.thread.z for the outer and this.thread.x for the inner one
 * @param name - told apart by it; default: the operation
 */
export function reduceParts(
  op: ReduceOp,
  inputs: readonly string[],
  value: string,
  name: string = op,
  functions: readonly GpuFunction[] = [],
): StagedReduction {
  const kind = joinOf(op);
  const first = kernelOf(`reduce ${name}`, kind, inputs, value, functions);
  return { first, join: kernelOf(`join ${kind}`, kind, ['xs'], 'x', []) };
}

type Join = 'sum' | 'max' | 'min';

function joinOf(op: ReduceOp): Join {
  if (op === 'max' || op === 'maxAbs') return 'max';
  return op === 'min' ? 'min' : 'sum';
}

function kernelOf(
  name: string,
  join: Join,
  inputs: readonly string[],
  value: string,
  functions: readonly GpuFunction[],
): GpuKernel {
  const known = made.get(name);
  if (known) return known;
  const at = join === 'sum' ? `(this.thread.y * part + j * ${LANE} + i)` : '(this.thread.y * part + i)';
  const scalars = { length: 'Integer', part: 'Integer' } as const;
  const kernel = gpuKernel(name, inputs, scalars, bodyOf(join, inputs[0]!, value.replaceAll('AT', at), at), {
    functions: [isNan, ...functions],
  });
  made.set(name, kernel);
  return kernel;
}

function bodyOf(join: Join, input: string, value: string, at: string): string {
  const element = `const x = ${input}[this.thread.z][${at}][this.thread.x];`;
  if (join === 'sum') {
    return `let sum = 0.0;
      for (let j = 0; j < ${PART / LANE}; j++) {
        let lane = 0.0;
        for (let i = 0; i < ${LANE}; i++) {
          if (${at} < length) { ${element} lane += ${value}; }
        }
        sum += lane;
      }
      return sum;`;
  }
  return `let best = 0.0;
    for (let i = 0; i < part; i++) {
      if (this.thread.y * part + i < length) {
        ${element}
        const next = ${value};
        if (i < 1) { best = next; }
        if (isNan(best) < 1) {
          if (next ${join === 'max' ? '>' : '<'} best || isNan(next) > 0) { best = next; }
        }
      }
    }
    return best;`;
}

/** Plain sums, and sums of squares. */
export const SUM = reduceParts('sum', ['xs'], 'x');
export const SUM_SQUARES = reduceParts('sumSquares', ['xs'], 'x * x');
export const MAX = reduceParts('max', ['xs'], 'x');

/** Σ exp(x − top) of a row, for softmax and what is like it. */
export const EXPONENTIALS = reduceParts('sum', ['xs', 'top'], 'expOf(x - top[this.thread.z])', 'exponentials', [expOf]);

/** Runs a reduction to the end. An empty axis gives 0. */
export function reduceAll(
  launcher: Launcher,
  { first, join }: StagedReduction,
  y: DeviceBuffer | Scratch,
  inputs: readonly LaunchInput[],
  outer: number,
  length: number,
  inner: number,
): void {
  const parts = Math.max(1, Math.ceil(length / PART));
  const step = (
    kernel: GpuKernel,
    out: DeviceBuffer | Scratch,
    from: readonly LaunchInput[],
    count: number,
    of: number,
  ) => launcher.launch(kernel, out, [inner, count, outer], from, [of, PART]);
  if (parts === 1) {
    step(first, y, inputs, 1, length);
    return;
  }
  launcher.withScratch(outer * parts * inner, (partial) => {
    step(first, partial, inputs, parts, length);
    reduceAll(launcher, { first: join, join }, y, [view(partial, inner, parts, outer)], outer, parts, inner);
  });
}
