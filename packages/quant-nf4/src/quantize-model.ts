import type { Module, Parameter } from '@burin/nn';
import { checkOptions } from '@burin/tensor';
import { chooseLayers, type LayerChoice } from './choose-layers.js';
import { Linear4bit } from './linear-4bit.js';
import type { Quantize4bitOptions } from './quantize-4bit.js';

/** How weights are quantized, and which. */
export interface QuantizeModelOptions extends Quantize4bitOptions, LayerChoice {}

const KNOWN = ['type', 'blockSize', 'doubleQuant', 'targetModules', 'skipModules'];

/** How weights are quantized. @throws RangeError that lists the options where there is none of a name */
export function formatOf(who: string, options: QuantizeModelOptions): Quantize4bitOptions {
  checkOptions(who, options, KNOWN);
  const { targetModules: _targets, skipModules: _skips, ...format } = options;
  return format;
}

/** What became of one layer. */
export interface ConvertedLayer {
  readonly name: string;
  /** `[out, in]` */
  readonly shape: readonly [number, number];
  /** Bytes of the weight, without the bias. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** What became of a model. */
export interface ConversionReport {
  /** How many layers were converted, one that stands in several places counted once. */
  readonly count: number;
  readonly layers: readonly ConvertedLayer[];
  /** Dotted names of the Linears that were left as they are. */
  readonly skipped: readonly string[];
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  /** One line. */
  readonly text: string;
}

/**
 * Replaces the Linears of a model by {@link Linear4bit}, in place and one at a time: each float weight is freed before
 * the next layer is touched. Heads, embeddings and weights shared with them stay as they are, unless told otherwise. A layer
 * that stands in several places stays one layer, and is reported under its first name.
 *
 * @throws RangeError if a name or pattern matches nothing, nothing is left to quantize, or an option is unknown; the model is
 *   then as it was.
 *   If a weight holds NaN or infinities: its name is in the message, and the layers before it are quantized
 * @example
 * const report = await quantizeModel(model, { doubleQuant: true });
 * console.log(report.text); // 28 layers: 26.5 MB -> 3.6 MB
 */
export async function quantizeModel(model: Module, options: QuantizeModelOptions = {}): Promise<ConversionReport> {
  const format = formatOf('quantizeModel', options);
  const { chosen, skipped } = chooseLayers(model, options);
  const layers: ConvertedLayer[] = [];
  for (const [linear, names] of placesOf(chosen)) {
    const layer = await named(names[0]!, () => Linear4bit.fromLinear(linear, format));
    for (const name of names) model.replaceModule(name, layer);
    freeUnlessShared(model, linear.weight);
    layers.push(converted(names[0]!, layer, linear.weight.byteLength, layer.weight.byteLength));
  }
  return describe(layers, skipped);
}

/**
 * Replaces each {@link Linear4bit} of a model by a plain Linear, or Conv1D, that holds its dequantized weight, in place and
 * one at a time. What quantizing lost is not had back, and the weights stay frozen: `model.requiresGrad_()` thaws them.
 */
export async function dequantizeModel(model: Module): Promise<ConversionReport> {
  const layers: ConvertedLayer[] = [];
  for (const [layer, names] of placesOf(model.namedModules())) {
    if (!(layer instanceof Linear4bit)) continue;
    const linear = layer.toLinear();
    for (const name of names) model.replaceModule(name, linear);
    layers.push(converted(names[0]!, layer, layer.weight.byteLength, linear.weight.byteLength));
    layer.weight.dispose();
  }
  return describe(layers, []);
}

/** Each module once, with the dotted names of its places: ALBERT's blocks, for one, are a single block. */
function placesOf<M extends Module>(modules: Iterable<[name: string, module: M]>): Map<M, string[]> {
  const places = new Map<M, string[]>();
  for (const [name, module] of modules) places.set(module, [...(places.get(module) ?? []), name]);
  return places;
}

async function named<T>(name: string, body: () => Promise<T>): Promise<T> {
  try {
    return await body();
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new RangeError(`quantizeModel: ${name}.weight: ${cause.message}`, { cause });
  }
}

function freeUnlessShared(model: Module, weight: Parameter): void {
  if (model.parameters().includes(weight)) return;
  weight.zeroGrad();
  weight.dispose();
}

function converted(name: string, { weight }: Linear4bit, bytesBefore: number, bytesAfter: number): ConvertedLayer {
  return { name, shape: weight.shape as [number, number], bytesBefore, bytesAfter };
}

function describe(layers: readonly ConvertedLayer[], skipped: readonly string[]): ConversionReport {
  const total = (key: 'bytesBefore' | 'bytesAfter') => layers.reduce((sum, layer) => sum + layer[key], 0);
  const [bytesBefore, bytesAfter] = [total('bytesBefore'), total('bytesAfter')];
  const count = layers.length;
  const text = `${count} layer${count === 1 ? '' : 's'}: ${megabytes(bytesBefore)} -> ${megabytes(bytesAfter)}`;
  return { count, layers, skipped, bytesBefore, bytesAfter, text };
}

function megabytes(bytes: number): string {
  return bytes < 1e5 ? `${bytes} bytes` : `${(bytes / 1e6).toFixed(1)} MB`;
}
