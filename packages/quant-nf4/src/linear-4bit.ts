import { Linear, type LinearLike, Module, Parameter } from '@burin/nn';
import { ShapeError, scope, type Tensor } from '@burin/tensor';
import { linear4bit } from './matmul-4bit.js';
import { type Quantize4bitOptions, quantize4bit } from './quantize-4bit.js';
import type { QuantizedTensor } from './quantized-tensor.js';

/**
 * A Linear whose weight is held in 4 bits: `y = x · Wᵀ + bias`. The weight is frozen; gradients flow through it to x, and
 * to the bias where that is trained.
 */
export class Linear4bit extends Module implements LinearLike {
  readonly weight: QuantizedTensor; // [out, in]
  readonly bias: Parameter | null; // [out]

  /** @throws ShapeError if the weight is not `[out, in]`, or the bias not `[out]` */
  constructor(weight: QuantizedTensor, bias: Parameter | null = null) {
    super();
    if (weight.shape.length !== 2 || (bias && bias.size !== weight.shape[0])) {
      throw new ShapeError(
        `Linear4bit: the weight must be [out, in] and the bias [out], got [${weight.shape}] and ` +
          (bias ? `[${bias.shape}]` : 'none'),
      );
    }
    this.weight = weight;
    this.bias = bias;
  }

  /** The same layer in 4 bits. Shares the bias; leaves the float weight as it is. */
  static async fromLinear(linear: LinearLike, options: Quantize4bitOptions = {}): Promise<Linear4bit> {
    const { bias, training } = linear;
    const source = linear instanceof Linear ? linear.weight.detach() : linear.floatWeight();
    const reading = quantize4bit(source, options);
    source.dispose();
    const layer = new Linear4bit(await reading, bias);
    layer.train(training);
    return layer;
  }

  get inFeatures(): number {
    return this.weight.shape[1]!;
  }

  get outFeatures(): number {
    return this.weight.shape[0]!;
  }

  forward(x: Tensor): Tensor {
    return scope(() => linear4bit(x, this.weight, this.bias));
  }

  floatWeight(): Tensor {
    return this.weight.dequantize();
  }

  /** A plain Linear that holds the dequantized weight, frozen as it was, and shares the bias. */
  toLinear(): Linear {
    return Linear.from(new Parameter(this.weight.dequantize(), { requiresGrad: false }), this.bias).train(
      this.training,
    );
  }
}
