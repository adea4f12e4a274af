import { simplify } from '../cpu/broadcast.js';
import type { DeviceBuffer } from '../device.js';
import { BYTES, type DType } from '../dtype.js';
import { DeviceError } from '../errors.js';
import type { MovementKernels } from '../kernels/movement.js';
import { type GpuBuffer, gpuBuffer } from './buffer.js';
import { roundedHere } from './host-bytes.js';
import { family, gpuKernel } from './kernel.js';
import { type Launcher, Scratch, view } from './launcher.js';
import type { GpuMemory } from './memory.js';
import { toBfloat16, toFloat16, toInteger } from './rounding.js';
import { scatterAddRows } from './scatter-add.js';
import { unpackTriples } from './triples.js';
import { launchWalk, REST_FUNCTIONS, strided, strideScalars, WALK_FUNCTIONS } from './walk.js';

const fill = gpuKernel('fill', [], { value: 'Float' }, 'return value;');

const CASTS: Readonly<Record<DType, string>> = {
  float32: 'return x;',
  float16: 'return toFloat16(x);',
  bfloat16: 'return toBfloat16(x);',
  int32: 'return toInteger(x, -2147483648, 2147483648);',
  uint8: 'return toInteger(x, 0, 255);',
};

const cast = family((to: DType) =>
  gpuKernel(`cast ${to}`, ['xs'], {}, `const x = xs[this.thread.x]; ${CASTS[to]}`, {
    functions: [toFloat16, toBfloat16, toInteger],
  }),
);

const gatherStrided = gpuKernel(
  'gatherStrided',
  ['x'],
  { length2: 'Integer', ...strideScalars('x') },
  `return ${strided('x')};`,
  { functions: WALK_FUNCTIONS },
);

/**
 * Each element of a piece of y asks whether it is one of those that x goes to: its distance from the first, taken apart
 * by the strides from the largest to 1, must leave indices within the shape and nothing over.
 */
const scatterStrided = gpuKernel(
  'scatterStrided',
  ['x', 'y'],
  {
    ...{ from: 'Integer', first: 'Integer', start: 'Integer' },
    ...{ length0: 'Integer', length1: 'Integer', length2: 'Integer', length3: 'Integer' },
    ...{ stride0: 'Integer', stride1: 'Integer', stride2: 'Integer', stride3: 'Integer' },
    ...{ step0: 'Integer', step1: 'Integer', step2: 'Integer', step3: 'Integer' },
  },
  `if (this.thread.x + from < first) { return y[this.thread.x + from]; }
   let inside = 1;
   if (quotientOf(PLACE, stride0) >= length0) { inside = 0; }
   if (quotientOf(remainderOf(PLACE, stride0), stride1) >= length1) { inside = 0; }
   if (quotientOf(rest2(PLACE, stride0, stride1), stride2) >= length2) { inside = 0; }
   if (quotientOf(rest3(PLACE, stride0, stride1, stride2), stride3) >= length3) { inside = 0; }
   if (rest4(PLACE, stride0, stride1, stride2, stride3) > 0) { inside = 0; }
   if (inside < 1) { return y[this.thread.x + from]; }
   return x[
     start + quotientOf(PLACE, stride0) * step0 + quotientOf(remainderOf(PLACE, stride0), stride1) * step1 +
     quotientOf(rest2(PLACE, stride0, stride1), stride2) * step2 +
     quotientOf(rest3(PLACE, stride0, stride1, stride2), stride3) * step3
   ];`.replaceAll('PLACE', '(this.thread.x + from - first)'),
  { functions: REST_FUNCTIONS },
);

const gatherRows = gpuKernel(
  'gatherRows',
  ['table', 'ids'],
  { rows: 'Float' },
  `const row = Math.max(0, Math.min(rows - 1, ids[this.thread.y]));
   return table[row][this.thread.x];`,
);

/** Movement kernels: see kernels/movement.ts for the contract. Bytes are those of the host; elements are floats here. */
export function movementKernels(launcher: Launcher, memory: GpuMemory): MovementKernels {
  const single = (buffer: DeviceBuffer): GpuBuffer => {
    const own = gpuBuffer(buffer);
    unpackTriples(launcher, memory, own);
    return own;
  };
  return {
    fill(dtype, y, value, size) {
      single(y);
      launcher.launch(fill, y, size, [], [roundedHere(dtype, value)]);
    },

    copy(x, xByteOffset, y, yByteOffset, byteLength) {
      const [from, to] = [single(x), single(y)];
      const bytes = BYTES[to.dtype];
      if (BYTES[from.dtype] !== bytes || xByteOffset % bytes || yByteOffset % bytes || byteLength % bytes) {
        throw new DeviceError(
          `gpu: copy must move whole elements of one dtype: got ${byteLength} bytes of ${from.dtype} at ${xByteOffset} ` +
            `to ${to.dtype} at ${yByteOffset}`,
        );
      }
      launcher.copy(x, xByteOffset / bytes, y, yByteOffset / bytes, byteLength / bytes);
    },

    cast(x, _from, y, to, size) {
      single(x);
      single(y);
      launcher.launch(cast(to), y, size, [x]);
    },

    gatherStrided(x, y, shape, xStrides, xOffset) {
      single(x);
      single(y);
      gather(launcher, x, y, shape, xStrides, xOffset);
    },

    scatterStrided(x, y, shape, yStrides, yOffset) {
      single(x);
      single(y);
      scatter(launcher, x, y, shape, yStrides, yOffset);
    },

    gatherRows(table, _dtype, ids, y, count, rows, cols) {
      launcher.launch(gatherRows, y, [cols, count, 1], [view(table, cols, rows), ids], [rows]);
    },

    scatterAddRows(g, ids, dtable, count, rows, cols, skip) {
      scatterAddRows(launcher, g, ids, dtable, count, rows, cols, skip);
    },
  };
}

/** An axis of a scatter: its length, the step in y and the step in x. */
interface Axis {
  readonly length: number;
  readonly stride: number;
  readonly step: number;
}

/** `y[i0, i1, ...] = x[xOffset + Σ i·xStrides]`, of buffers or scratch. */
export function gather(
  launcher: Launcher,
  x: DeviceBuffer | Scratch,
  y: DeviceBuffer | Scratch,
  shape: readonly number[],
  xStrides: readonly number[],
  xOffset: number,
): void {
  launchWalk(launcher, gatherStrided, y, shape, [{ input: x, start: xOffset, strides: xStrides }]);
}

/** `y[yOffset + Σ i·yStrides] = x[i0, i1, ...]`, of buffers or scratch; the other elements of y stay. */
export function scatter(
  launcher: Launcher,
  x: DeviceBuffer | Scratch,
  y: DeviceBuffer | Scratch,
  shape: readonly number[],
  yStrides: readonly number[],
  yOffset: number,
): void {
  if (shape.includes(0)) return;
  const walk = simplify(shape, [yStrides, contiguous(shape)]);
  const axes = walk.shape
    .map((length, i): Axis => ({ length, stride: walk.strides[0]![i]!, step: walk.strides[1]![i]! }))
    .sort((a, b) => b.stride - a.stride);
  if (axes.length === 1 && axes[0]!.stride === 1) {
    launcher.copy(x, 0, y, yOffset, axes[0]!.length);
    return;
  }
  scatterAxes(launcher, x, 0, y, yOffset, axes);
}

function scatterAxes(
  launcher: Launcher,
  x: DeviceBuffer | Scratch,
  xOffset: number,
  y: DeviceBuffer | Scratch,
  yOffset: number,
  axes: Axis[],
): void {
  const [outer, ...inner] = axes as [Axis, ...Axis[]];
  if (axes.length > 4) {
    for (let i = 0; i < outer.length; i++) {
      scatterAxes(launcher, x, xOffset + i * outer.step, y, yOffset + i * outer.stride, inner);
    }
    return;
  }
  const four = [...axes, ...Array.from({ length: 4 - axes.length }, (): Axis => ({ length: 1, stride: 1, step: 0 }))];
  const span = 1 + axes.reduce((sum, { length, stride }) => sum + (length - 1) * stride, 0);
  const [from, count] = launcher.backend.writesParts
    ? [yOffset, span]
    : [0, (y instanceof Scratch ? y : gpuBuffer(y)).floats];
  const lists = [four.map(({ length }) => length), four.map(({ stride }) => stride), four.map(({ step }) => step)];
  launcher.launchAt(scatterStrided, y, from, count, [x, y], [from, yOffset, xOffset, ...lists.flat()]);
}

function contiguous(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length);
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = step;
    step *= shape[axis]!;
  }
  return strides;
}
