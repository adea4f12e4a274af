import { isLinearLike, type Module } from '@burin/nn';
import { ShapeError } from '@burin/tensor';
import { type CheckpointEntry, fromBitsandbytes, quantizedNames } from './bitsandbytes.js';
import { Linear4bit } from './linear-4bit.js';

/**
 * Puts the 4-bit weights of a checkpoint into a model: each layer that the checkpoint holds in the layout of bitsandbytes
 * is replaced by a {@link Linear4bit} with the layer's own bias, and the float weight is freed.
 *
 * @param entries - the tensors of a checkpoint by name; others than 4-bit weights are not looked at
 * @returns dotted names of the layers that were replaced
 * @throws RangeError if the model has no such layer, ShapeError if it has another shape
 */
export function loadQuantized(model: Module, entries: ReadonlyMap<string, CheckpointEntry>): string[] {
  const paths = quantizedNames(entries.keys()).map((name) => name.replace(/\.weight$/, ''));
  for (const path of paths) {
    const layer = model.getModule(path);
    if (!isLinearLike(layer)) throw new RangeError(`${path}: a Linear is expected, got ${layer.constructor.name}`);
    const weight = fromBitsandbytes(entries, `${path}.weight`);
    const expected = [layer.outFeatures, layer.inFeatures];
    if (`${weight.shape}` !== `${expected}`) {
      weight.dispose();
      throw new ShapeError(`${path}.weight: expected [${expected}], got [${weight.shape}]`);
    }
    const { storesTransposed = false } = layer;
    const replacement = new Linear4bit(weight, layer.bias, { storesTransposed }).train(layer.training);
    model.replaceModule(path, replacement);
    const used = new Set(model.parameters());
    for (const parameter of layer.parameters()) if (!used.has(parameter)) parameter.dispose();
    if (layer instanceof Linear4bit) layer.weight.dispose();
  }
  return paths;
}
