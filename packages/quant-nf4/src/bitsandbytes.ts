import type { Module } from '@burin/nn';
import { type DeviceLike, DtypeError, fromBytes, type Shape, ShapeError, type Tensor } from '@burin/tensor';
import { CODES, type FourBitType } from './code-tables.js';
import { Linear4bit } from './linear-4bit.js';
import { checkBlockSize } from './quantize-4bit.js';
import { type NestedScales, type OriginalDtype, type PlainScales, QuantizedTensor } from './quantized-tensor.js';

/** A tensor of a checkpoint: its bytes, little-endian and row-major, and what they are. */
export interface CheckpointEntry {
  readonly dtype: string;
  readonly shape: Shape;
  readonly data: Uint8Array;
}

/** The numbers that go with the tensors: JSON text, stored as a tensor of bytes. */
interface QuantState {
  quant_type: FourBitType;
  blocksize: number;
  dtype: OriginalDtype;
  shape: number[];
  nested_blocksize?: number;
  nested_dtype?: 'float32';
  nested_offset?: number;
}

const STATE = '.quant_state.bitsandbytes__';
const DTYPES: readonly string[] = ['float32', 'float16', 'bfloat16'];

/**
 * A quantized weight as bitsandbytes writes it into a checkpoint: `weight` (the packed codes), `weight.absmax`,
 * `weight.quant_map`, `weight.quant_state.bitsandbytes__nf4`, and with double quantization `weight.nested_absmax` and
 * `weight.nested_quant_map`.
 *
 * @param name - what stands for `weight`: the dotted name of the parameter
 */
export async function toBitsandbytes(weight: QuantizedTensor, name = 'weight'): Promise<Map<string, CheckpointEntry>> {
  const entries = new Map<string, CheckpointEntry>();
  const put = async (suffix: string, tensor: Tensor | null) => {
    if (!tensor) return;
    const dtype = tensor.dtype === 'uint8' ? 'U8' : 'F32';
    entries.set(name + suffix, { dtype, shape: tensor.shape, data: await tensor.bytes() });
  };
  await put('', weight.packed);
  await put('.absmax', weight.absmaxCodes ?? weight.absmax);
  await put('.nested_absmax', weight.nestedAbsmax);
  await put('.nested_quant_map', weight.nestedCode);
  const table = new Uint8Array(Float32Array.from(CODES[weight.type]).buffer);
  entries.set(`${name}.quant_map`, { dtype: 'F32', shape: [16], data: table });
  const state = new TextEncoder().encode(stateText(weight));
  entries.set(`${name}${STATE}${weight.type}`, { dtype: 'U8', shape: [state.length], data: state });
  return entries;
}

/**
 * Reads a weight in the layout of bitsandbytes. Every length is checked against the shape that the state names.
 *
 * @param entries - the tensors of a checkpoint by name; those of other parameters are not looked at
 * @param name - the dotted name of the parameter
 * @throws RangeError, ShapeError or DtypeError that name the tensor
 */
export function fromBitsandbytes(
  entries: ReadonlyMap<string, CheckpointEntry>,
  name = 'weight',
  { device }: { device?: DeviceLike } = {},
): QuantizedTensor {
  const read: ReadPart = (suffix, dtype, length) => readPart(entries, name + suffix, dtype, length, device);
  const state = readState(entries, name);
  const size = state.shape.reduce((product, length) => product * length, 1);
  const blocks = Math.ceil(size / state.blocksize);
  checkTable(name, read('.quant_map', 'F32', 16).bytes, state.quant_type);
  const codes = read('', 'U8', Math.ceil(size / 2));
  const scales = readScales(state, blocks, read);
  const packed = codes.toTensor([codes.bytes.length, 1]);
  const { quant_type: type, blocksize: blockSize, shape, dtype: originalDtype } = state;
  return new QuantizedTensor({ type, shape, blockSize, packed, scales, originalDtype });
}

/** Every {@link Linear4bit} of a model in the layout of bitsandbytes, by dotted name; without the biases. */
export async function quantizedState(model: Module): Promise<Map<string, CheckpointEntry>> {
  const all = new Map<string, CheckpointEntry>();
  for (const [path, module] of model.namedModules()) {
    if (!(module instanceof Linear4bit)) continue;
    const name = path === '' ? 'weight' : `${path}.weight`;
    for (const [key, entry] of await toBitsandbytes(module.weight, name)) all.set(key, entry);
  }
  return all;
}

/** Dotted names of the weights that a checkpoint holds in the layout of bitsandbytes. */
export function quantizedNames(names: Iterable<string>): string[] {
  return [...names].filter((name) => name.includes(STATE)).map((name) => name.slice(0, name.indexOf(STATE)));
}

/** Checks all of them before any is put on the device. */
function readScales(state: QuantState, blocks: number, read: ReadPart): PlainScales | NestedScales {
  const { nested_blocksize: nestedBlockSize, nested_offset: nestedOffset } = state;
  if (nestedBlockSize === undefined) return { absmax: read('.absmax', 'F32', blocks).toTensor() };
  const codes = read('.absmax', 'U8', blocks);
  const absmax = read('.nested_absmax', 'F32', Math.ceil(blocks / nestedBlockSize));
  const table = read('.nested_quant_map', 'F32', 256);
  return {
    absmaxCodes: codes.toTensor(),
    nestedAbsmax: absmax.toTensor(),
    nestedCode: table.toTensor(),
    nestedOffset: nestedOffset!,
    nestedBlockSize,
  };
}

type ReadPart = (suffix: string, dtype: 'U8' | 'F32', length: number) => Part;

interface Part {
  readonly bytes: Uint8Array;
  toTensor(shape?: Shape): Tensor;
}

function readPart(
  entries: ReadonlyMap<string, CheckpointEntry>,
  key: string,
  dtype: 'U8' | 'F32',
  length: number,
  device: DeviceLike | undefined,
): Part {
  const entry = entries.get(key);
  if (!entry) throw new RangeError(`${key}: it must be in the checkpoint, got nothing of this name`);
  if (entry.dtype !== dtype) throw new DtypeError(`${key}: expected ${dtype}, got ${entry.dtype}`);
  const expected = length * (dtype === 'U8' ? 1 : 4);
  if (entry.data.length !== expected) {
    throw new ShapeError(`${key}: expected ${length} elements, got [${entry.shape}] of ${entry.data.length} bytes`);
  }
  const options = device === undefined ? {} : { device };
  return {
    bytes: entry.data,
    toTensor: (shape = [length]) => fromBytes(entry.data, shape, dtype === 'U8' ? 'uint8' : 'float32', options),
  };
}

/** A table of one's own would change what the codes mean; kernels know these two. */
function checkTable(name: string, bytes: Uint8Array, type: FourBitType): void {
  const table = new Float32Array(new Uint8Array(bytes).buffer);
  if (table.every((value, i) => Math.abs(value - CODES[type][i]!) < 1e-6)) return;
  throw new RangeError(`${name}.quant_map: it must be the table of ${type}, got ${[...table].join(', ')}`);
}

function readState(entries: ReadonlyMap<string, CheckpointEntry>, name: string): QuantState {
  const key = [...entries.keys()].find((candidate) => candidate.startsWith(name + STATE));
  if (key === undefined)
    throw new RangeError(`${name}: ${name}${STATE}nf4 or ...fp4 must be in the checkpoint, got neither`);
  let state: unknown;
  try {
    state = JSON.parse(new TextDecoder().decode(entries.get(key)!.data));
  } catch (cause) {
    throw new RangeError(`${key}: it must be JSON text: ${(cause as Error).message}`, { cause });
  }
  checkState(key, state);
  return state;
}

function checkState(key: string, value: unknown): asserts value is QuantState {
  const require = (holds: boolean, rule: string) => {
    if (!holds) throw new RangeError(`${key}: ${rule}, got ${JSON.stringify(value)}`);
  };
  require(typeof value === 'object' && value !== null, 'an object is expected');
  const state = value as Record<string, unknown>;
  const isCount = (item: unknown) => Number.isSafeInteger(item) && (item as number) > 0;
  require(key.endsWith(STATE + String(state.quant_type)) &&
    Object.hasOwn(CODES, String(state.quant_type)), 'quant_type must be nf4 or fp4 as in the name');
  require(DTYPES.includes(String(state.dtype)), `dtype must be one of ${DTYPES.join(', ')}`);
  const { shape } = state;
  require(Array.isArray(shape) && shape.length > 0 && shape.every(isCount), 'shape must be whole numbers of 1 or more');
  require(Number.isSafeInteger((shape as number[]).reduce((a, b) => a * b, 1)), 'shape must have a countable size');
  require(isCount(state.blocksize), 'blocksize must be a whole number of 1 or more');
  checkBlockSize(key, state.blocksize as number);
  if (state.nested_blocksize === undefined) return;
  require(isCount(state.nested_blocksize), 'nested_blocksize must be a whole number of 1 or more');
  require(Number.isFinite(state.nested_offset), 'nested_offset must be a number');
}

/** As Python's `json.dumps` writes it, so that files are equal byte for byte. */
function stateText(weight: QuantizedTensor): string {
  const { type, blockSize, originalDtype, shape } = weight;
  const fields = [
    `"quant_type": "${type}"`,
    `"blocksize": ${blockSize}`,
    `"dtype": "${originalDtype}"`,
    `"shape": [${shape.join(', ')}]`,
  ];
  if (weight.isNested) {
    fields.push(`"nested_blocksize": ${weight.nestedBlockSize}`, '"nested_dtype": "float32"');
    fields.push(`"nested_offset": ${pythonFloat(weight.nestedOffset)}`);
  }
  return `{${fields.join(', ')}}`;
}

/** Python's `repr` of a float: the same digits, but `1.0` where there is no fraction and `1e-05` below 1e-4. */
export function pythonFloat(value: number): string {
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    return value.toExponential().replace(/e([+-])(\d)$/, 'e$10$2');
  }
  return Number.isInteger(value) ? `${value}.0` : String(value);
}
