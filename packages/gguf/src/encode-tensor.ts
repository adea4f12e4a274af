import { encode } from './encode.js';
import type { Placement, RowOrder } from './placement.js';
import { type GgufType, TYPES } from './tensor-type.js';
import type { WeightSource } from './weight-source.js';
import type { GgufTensor } from './write-gguf.js';

/** Elements that are converted at a time. */
const PIECE = 2 ** 22;

/** A matrix: every tensor is one here, a vector one of a single row. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
}

/**
 * How a tensor is stored where the file mostly holds `wanted`: vectors and norms stay F32, as llama.cpp expects; in a
 * Q4_0 file embeddings and head are Q8_0, since their errors are not averaged out; rows that are no whole blocks are F16.
 */
function storedType(name: string, shape: readonly number[], wanted: GgufType): GgufType {
  if (shape.length < 2 || name.endsWith('_norm.weight') || name === 'position_embd.weight') return 'F32';
  const isEnd = name === 'token_embd.weight' || name === 'output.weight';
  const type = wanted === 'Q4_0' && isEnd ? 'Q8_0' : wanted;
  return shape.at(-1)! % TYPES[type].blockSize === 0 ? type : 'F16';
}

/** A tensor of `source` as it goes into the file. */
export function encodeTensor(source: WeightSource, stored: string, placement: Placement, wanted: GgufType): GgufTensor {
  const from = source.shapes.get(stored)!;
  const shape = placement.transposed ? from.toReversed() : from;
  const type = storedType(placement.name, shape, wanted);
  return { name: placement.name, shape, type, pieces: () => pieces(source, stored, placement, type) };
}

async function* pieces(
  source: WeightSource,
  stored: string,
  placement: Placement,
  type: GgufType,
): AsyncIterable<Uint8Array> {
  const from = source.shapes.get(stored)!;
  const matrix = { rows: from.length < 2 ? 1 : from[0]!, columns: from.at(-1) ?? 1 };
  const { rowOrder, transposed, plusOne } = placement;
  if (rowOrder || transposed) {
    const whole = await source.read(stored, 0, matrix.rows * matrix.columns);
    yield encode(transposed ? transpose(whole, matrix) : reorderRows(whole, from[0]!, rowOrder!), type);
    return;
  }
  const step = Math.max(1, Math.floor(PIECE / matrix.columns));
  for (let row = 0; row < matrix.rows; row += step) {
    const count = Math.min(step, matrix.rows - row) * matrix.columns;
    const values = await source.read(stored, row * matrix.columns, count);
    yield encode(plusOne ? values.map((value) => value + 1) : values, type);
  }
}

function transpose(values: Float32Array, { rows, columns }: Matrix): Float32Array {
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = values[row * columns + column]!;
  }
  return turned;
}

/** Also of a bias, whose elements go the way of the rows. */
export function reorderRows(values: Float32Array, rows: number, order: RowOrder): Float32Array {
  const columns = values.length / rows;
  const turned = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    const start = order(row, rows) * columns;
    turned.set(values.subarray(start, start + columns), row * columns);
  }
  return turned;
}
