import { Linear, type LinearLike, Module, Parameter } from '@burin/nn';
import { type DType, Generator, keep, type Tensor, tensor } from '@burin/tensor';
import { seededRandom } from '@burin/testing';
import { applyLora, type LoraLinear, type LoraModel, type LoraOptions } from '../src/index.js';

/** A model of one Linear, called `layer`. */
export class OneLinear<L extends LinearLike = Linear> extends Module {
  layer: L;

  constructor(layer: L) {
    super();
    this.layer = layer;
  }

  forward(x: Tensor): Tensor {
    return this.layer.forward(x);
  }
}

export function linearOf(
  weight: Float32Array,
  bias: Float32Array | null,
  shape: readonly number[],
  dtype: DType = 'float32',
) {
  const parameter = new Parameter(tensor(weight, shape, { dtype }));
  return Linear.from(parameter, bias && new Parameter(tensor(bias, [bias.length])));
}

/** LoRA with given A and B on a model of one Linear. */
export function loraWith(base: Linear, a: Float32Array, b: Float32Array, options: Partial<LoraOptions> = {}) {
  const rank = a.length / base.inFeatures;
  const lora = applyLora(new OneLinear(base), { rank, targetModules: 'layer', rng: new Generator(0), ...options });
  const layer = lora.model.getModule('layer') as LoraLinear;
  fill(layer.lora_A.get('default')!.weight, a);
  fill(layer.lora_B.get('default')!.weight, b);
  return { lora, layer, a: layer.lora_A.get('default')!.weight, b: layer.lora_B.get('default')!.weight };
}

function fill(parameter: Tensor, values: Float32Array): void {
  const source = tensor(values, parameter.shape);
  parameter.copy_(source);
  source.dispose();
}

/** Gives every B of an adapter values, as training would. */
export function train(lora: LoraModel, name = 'default', seed = 5): void {
  const random = seededRandom(seed);
  for (const [path, parameter] of lora.adapterParameters(name)) {
    if (path.includes('lora_B')) fill(parameter, random.normal(parameter.size, 0.1));
  }
}

/** Numbers of a fixed seed. */
export function input(shape: readonly number[], seed = 3): Tensor {
  return keep(tensor(seededRandom(seed).normal(shape.reduce((a, b) => a * b, 1)), shape));
}
