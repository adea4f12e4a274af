import type { Linear, Module } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import { chooseLayers } from './choose-layers.js';
import { Linear4bit } from './linear-4bit.js';
import { quantize4bit } from './quantize-4bit.js';
import { formatOf, type QuantizeModelOptions } from './quantize-model.js';

/** What `fromPretrained` of `@burin/models` asks of a conversion: which layers, and what takes the place of each. */
export interface FourBitConversion {
  choose(model: Module): string[];
  convert(layer: Linear, weight: Tensor): Promise<Linear4bit>;
}

/**
 * Quantizes a model while it loads: each chosen weight is read, quantized and freed before the next one comes, so that
 * the float model is never in memory. Layers are chosen, and bytes come out, as with `quantizeModel`;
 * `fromPretrained` refuses one that stands in several places.
 *
 * @throws RangeError if an option is unknown; from `choose` if a name or pattern matches nothing, or nothing is left to
 *   quantize; from `convert` if a weight holds NaN or infinities
 * @example
 * const model = await fromPretrained('models/llama', { convert: to4bit({ doubleQuant: true }) });
 */
export function to4bit(options: QuantizeModelOptions = {}): FourBitConversion {
  const format = formatOf('to4bit', options);
  return {
    choose: (model) => [...chooseLayers(model, options).chosen.keys()],
    convert: async (layer, weight) =>
      new Linear4bit(await quantize4bit(weight, format), layer.bias).train(layer.training),
  };
}
