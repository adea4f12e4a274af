import { BYTES, type DType } from '../dtype.js';
import type { MovementKernels } from '../kernels/movement.js';
import { rowsOf, simplify, type Walk } from './broadcast.js';
import { BYTE, ELEMENT } from './cost.js';
import { type Engine, type KernelArguments, type KernelExports, pointer } from './engine.js';
import { capitalize } from './names.js';

/** Movement kernels: see kernels/movement.ts for the contract, assembly/{fill,cast,strided,rows}.ts for the work. */
export function movementKernels(engine: Engine): MovementKernels {
  const wasm = engine.exports;
  return {
    fill(dtype, y, value, size) {
      const pattern = bitPattern(wasm, dtype, value);
      const bytes = BYTES[dtype] as 1 | 2 | 4;
      const kernel = ({ 1: 'fill8', 2: 'fill16', 4: 'fill32' } as const)[bytes];
      engine.run(kernel, [pointer(y), pattern], size, bytes * BYTE);
    },

    copy(x, xByteOffset, y, yByteOffset, byteLength) {
      copyWithin(engine, pointer(x) + xByteOffset, pointer(y) + yByteOffset, byteLength);
    },

    cast(x, from, y, to, size) {
      if (from === to) copyWithin(engine, pointer(x), pointer(y), size * BYTES[from]);
      else engine.run(castName(from, to), [pointer(x), pointer(y)], size, 4 * ELEMENT);
    },

    gatherStrided(x, y, shape, xStrides, xOffset, bytesPerElement) {
      const walk = simplify(shape, [xStrides, contiguousStrides(shape)]);
      copyWalk(engine, pointer(x) + xOffset * bytesPerElement, pointer(y), walk, bytesPerElement);
    },

    scatterStrided(x, y, shape, yStrides, yOffset, bytesPerElement) {
      const walk = simplify(shape, [contiguousStrides(shape), yStrides]);
      copyWalk(engine, pointer(x), pointer(y) + yOffset * bytesPerElement, walk, bytesPerElement);
    },

    gatherRows(table, dtype, ids, y, count, rows, cols) {
      const kernel = `gatherRows${capitalize(dtype as 'float32' | 'float16' | 'bfloat16')}` as const;
      engine.run(kernel, [pointer(table), pointer(ids), pointer(y), rows, cols], count, 2 * cols * ELEMENT);
    },

    scatterAddRows(g, ids, dtable, count, rows, cols, skip) {
      const args: KernelArguments<'scatterAddRows'> = [
        pointer(g),
        pointer(ids),
        pointer(dtable),
        count,
        rows,
        cols,
        skip,
      ];
      engine.run('scatterAddRows', args, cols, 3 * count * ELEMENT);
    },
  };
}

/** The bytes may overlap; then one thread copies them. */
function copyWithin(engine: Engine, from: number, to: number, byteLength: number): void {
  const overlap = from < to + byteLength && to < from + byteLength;
  engine.run('copy', [from, to], byteLength, overlap ? 0 : 2 * BYTE);
}

/** `value` as the bits of one element, converted as `cast` would. */
function bitPattern(wasm: KernelExports, dtype: DType, value: number): number {
  if (dtype === 'float16') return wasm.float16Bits(value);
  if (dtype === 'bfloat16') return wasm.bfloat16Bits(value);
  if (dtype === 'float32') return new Int32Array(new Float32Array([value]).buffer)[0]!;
  const [low, high] = dtype === 'int32' ? [-(2 ** 31), 2 ** 31 - 1] : [0, 255];
  return Math.min(Math.max(Math.trunc(Number.isNaN(value) ? 0 : value), low!), high!);
}

type CastName = Extract<keyof KernelExports, `cast${string}`>;

function castName(from: DType, to: DType): CastName {
  return `cast${capitalize(from)}To${capitalize(to)}` as CastName;
}

function contiguousStrides(shape: readonly number[]): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** Copies a walk of (x, y) as planes of rows, transposing in tiles where x is contiguous across the rows. */
function copyWalk(engine: Engine, x: number, y: number, walk: Walk, bytesPerElement: number): void {
  const { dims, rank, length, steps, size } = rowsOf(walk);
  if (size === 0) return;
  const [xStep, yStep] = steps as [number, number];
  const planes = planesOf(dims, rank);
  const { rows, xRowStep, yRowStep } = planes;
  const meta = engine.metadata(planes.dims);
  if (bytesPerElement === 4 && xRowStep === 1 && yStep === 1 && xStep !== 1 && rows >= 4 && length >= 4) {
    const bands = Math.ceil(rows / 16) * (size / (rows * length));
    engine.run(
      'copyTransposed',
      [x, y, meta, planes.rank, rows, length, xStep, yRowStep],
      bands,
      16 * 4 * length * ELEMENT,
    );
    return;
  }
  const shift = Math.log2(bytesPerElement);
  engine.run(
    'copyStrided',
    [x, y, meta, planes.rank, rows, length, xRowStep, yRowStep, xStep, yStep, shift],
    size / length,
    3 * length * ELEMENT,
  );
}

/** Splits one more axis off `dims` (outer sizes, strides of x, strides of y). */
function planesOf(dims: readonly number[], rank: number) {
  if (rank === 0) return { dims: [], rank: 0, rows: 1, xRowStep: 0, yRowStep: 0 };
  const lists = [0, 1, 2].map((list) => dims.slice(list * rank, (list + 1) * rank));
  const [rows, xRowStep, yRowStep] = lists.map((list) => list[rank - 1]) as [number, number, number];
  return { dims: lists.flatMap((list) => list.slice(0, -1)), rank: rank - 1, rows, xRowStep, yRowStep };
}
