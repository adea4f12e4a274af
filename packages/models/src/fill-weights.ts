import { CheckpointError, type SafetensorsFile, type TensorInfo } from '@burin/checkpoint';
import {
  compareNames,
  Linear,
  type Module,
  refuseDifferences,
  STORED_DTYPES,
  stateTargets,
  tensorDtype,
} from '@burin/nn';
import { BYTES, type DType, fromBytes, keep, MemoryError, ShapeError, scope, type Tensor } from '@burin/tensor';
import { type CheckpointNaming, modelNames } from './checkpoint-names.js';
import type { LayerConversion } from './layer-conversion.js';

/** What may differ between a model and its checkpoint, and what becomes of its layers. */
export interface FillOptions {
  /** Names that the file may lack, such as a new classification head's; they become zeros. */
  allowMissing?: RegExp;
  /** Names in the file to pass over, such as the language-model head of a model that gets another. */
  allowUnexpected?: RegExp;
  /** Replaces layers while the checkpoint streams in, before their weights take memory. */
  convert?: LayerConversion;
}

/** A tensor of the file and where it goes. */
interface Placement {
  readonly stored: string; // its name in the file
  readonly target: Tensor;
  readonly info: TensorInfo;
}

/** Bytes that are read at a time into a weight that stays as it is: a whole one need not be in memory twice. */
const CHUNK_BYTES = 2 ** 22;

/**
 * Fills a model from a checkpoint, one tensor after another, in the order of the file. Names, shapes and dtypes are
 * compared before anything is read.
 *
 * @param model - its weights need hold no memory yet
 * @throws RangeError if names are missing or left over; ShapeError if a shape differs; CheckpointError if the file has a
 *   dtype that tensors have not, or two matrices for one of the model; MemoryError, naming the tensor, if the device has
 *   no room for it, or no buffer so large. The model is then half filled
 */
export async function fillWeights(
  model: Module,
  checkpoint: SafetensorsFile,
  architecture: CheckpointNaming,
  options: FillOptions,
): Promise<void> {
  const targets = stateTargets(model);
  const placements = placeTensors(targets, checkpoint, architecture, options);
  const layers = layersToConvert(model, targets, options.convert);
  const filled = new Map<Tensor, Placement>();
  for (const placement of placements) {
    const { stored, target, info } = placement;
    const [path, earlier] = [layers.get(target), filled.get(target)];
    filled.set(target, placement);
    try {
      if (earlier && target.shape.length > 1) await expectSame(checkpoint, earlier, placement);
      else if (path === undefined) await fillTensor(target, checkpoint, stored, info);
      else await convertLayer(model, path, options.convert!, checkpoint, stored);
    } catch (cause) {
      if (cause instanceof MemoryError)
        throw new MemoryError(`${checkpoint.name}: ${stored}: ${cause.message}`, { cause });
      throw cause;
    }
  }
  for (const target of targets.values()) if (!target.isDisposed && !target.storage.isHeld) target.fill_(0);
}

function placeTensors(
  targets: ReadonlyMap<string, Tensor>,
  checkpoint: SafetensorsFile,
  architecture: CheckpointNaming,
  options: FillOptions,
): Placement[] {
  const names = modelNames(checkpoint.tensors.keys(), targets, architecture);
  const { missing, unexpected } = compareNames(targets, names.values());
  refuseDifferences(checkpoint.name, {
    missing: missing.filter((name) => !matches(options.allowMissing, name)),
    unexpected: unexpected.filter((name) => !matches(options.allowUnexpected, name)),
  });
  const placements = [...names].flatMap(([stored, name]) => {
    const target = targets.get(name);
    return target ? [{ stored, target, info: checkpoint.tensors.get(stored)! }] : [];
  });
  for (const { stored, target, info } of placements) checkTensor(`${checkpoint.name}: ${stored}`, target, info);
  return placements;
}

/** Dotted names of the chosen layers by their weight, which no other module may share. */
function layersToConvert(
  model: Module,
  targets: ReadonlyMap<string, Tensor>,
  convert: LayerConversion | undefined,
): Map<Tensor, string> {
  const layers = new Map<Tensor, string>();
  for (const path of convert?.choose(model) ?? []) {
    const layer = model.getModule(path);
    if (!(layer instanceof Linear)) {
      throw new RangeError(`fromPretrained: ${path}: only a Linear is converted, got ${layer.constructor.name}`);
    }
    const sharing = [...targets].filter(([, tensor]) => tensor === layer.weight).map(([name]) => name);
    if (sharing.length > 1) {
      throw new RangeError(
        `fromPretrained: ${path}: a weight that modules share is not converted while it loads: it is that of ` +
          `${sharing.join(' and ')}; convert it once the model is loaded`,
      );
    }
    layers.set(layer.weight, path);
  }
  return layers;
}

async function convertLayer(
  model: Module,
  path: string,
  convert: LayerConversion,
  checkpoint: SafetensorsFile,
  stored: string,
): Promise<void> {
  const layer = model.getModule(path) as Linear;
  const { shape, dtype } = checkpoint.tensors.get(stored)!;
  const weight = keep(fromBytes(await checkpoint.read(stored), shape, tensorDtype(dtype)!));
  try {
    model.replaceModule(path, await convert.convert(layer, weight));
    layer.weight.dispose();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(`${checkpoint.name}: ${stored}: ${cause.message}`, { cause });
  } finally {
    weight.dispose();
  }
}

/** Reads a tensor piece by piece into its place, converting to how the place is stored. */
async function fillTensor(
  target: Tensor,
  checkpoint: SafetensorsFile,
  stored: string,
  info: TensorInfo,
): Promise<void> {
  const from = tensorDtype(info.dtype)!;
  target.touch('fromPretrained');
  const step = CHUNK_BYTES / BYTES[from];
  for (let start = 0; start < target.size; start += step) {
    const length = Math.min(step, target.size - start);
    const part = { offset: start * BYTES[from], length: length * BYTES[from] };
    writeElements(target, start, await checkpoint.read(stored, part), from);
  }
}

/**
 * A matrix that modules share may be there by several names. If those hold other numbers, config.json is wrong. A vector is
 * the one that comes last: of an untied BERT transformers 5 reads `decoder.bias`, not the `bias` before it.
 */
async function expectSame(checkpoint: SafetensorsFile, first: Placement, second: Placement): Promise<void> {
  const { dtype } = first.info;
  const size = BYTES[tensorDtype(dtype)!] * first.target.size;
  let isSame = second.info.dtype === dtype;
  for (let offset = 0; isSame && offset < size; offset += CHUNK_BYTES) {
    const part = { offset, length: Math.min(CHUNK_BYTES, size - offset) };
    const [a, b] = [await checkpoint.read(first.stored, part), await checkpoint.read(second.stored, part)];
    for (let i = 0; isSame && i < a.length; i++) isSame = a[i] === b[i];
  }
  if (isSame) return;
  throw new CheckpointError(
    `${checkpoint.name}: ${second.stored}: expected what ${first.stored} holds, as the model has one matrix for both, ` +
      'got other numbers; where config.json ties a head that has its own, set its tie_word_embeddings to false',
  );
}

/** Elements stored as `from`, put into `target` from its element `start` on. */
function writeElements(target: Tensor, start: number, bytes: Uint8Array, from: DType): void {
  const { device, dtype, storage } = target;
  const byteOffset = start * BYTES[dtype];
  if (from === dtype) {
    device.write(storage.buffer, bytes, byteOffset);
    return;
  }
  scope(() => {
    const part = fromBytes(bytes, [bytes.length / BYTES[from]], from, { device }).to(dtype);
    device.kernels.copy(part.storage.buffer, 0, storage.buffer, byteOffset, part.byteLength);
  });
}

function checkTensor(who: string, target: Tensor, { dtype, shape }: TensorInfo): void {
  if (`${target.shape}` !== `${shape}`) {
    throw new ShapeError(`${who}: expected [${target.shape}], as config.json says, got [${shape}]`);
  }
  if (!tensorDtype(dtype)) {
    throw new CheckpointError(
      `${who}: the dtype must be one that tensors have: expected ${Object.values(STORED_DTYPES).join(', ')}, ` +
        `got ${dtype}`,
    );
  }
}

/** `search` begins at the start whatever flags the expression has. */
function matches(pattern: RegExp | undefined, name: string): boolean {
  return pattern !== undefined && name.search(pattern) >= 0;
}
