import { type Conv1D, Linear, type LinearLike, Module, type Parameter, plainLayer } from '@burin/nn';
import { ShapeError, type Tensor } from '@burin/tensor';
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
  readonly storesTransposed: boolean;

  /**
   * @param options.storesTransposed - it stands for a Conv1D. Default false
   * @throws ShapeError if the weight is not `[out, in]`, or the bias not `[out]`
   */
  constructor(weight: QuantizedTensor, bias: Parameter | null = null, { storesTransposed = false } = {}) {
    super();
    if (weight.shape.length !== 2 || (bias && `${bias.shape}` !== `${weight.shape[0]}`)) {
      throw new ShapeError(
        `Linear4bit: the weight must be [out, in] and the bias [out], got [${weight.shape}] and ` +
          (bias ? `[${bias.shape}]` : 'none'),
      );
    }
    this.weight = weight;
    this.bias = bias;
    this.storesTransposed = storesTransposed;
  }

  /** The same layer in 4 bits. Shares the bias; leaves the float weight as it is. */
  static async fromLinear(linear: LinearLike, options: Quantize4bitOptions = {}): Promise<Linear4bit> {
    const { bias, training, storesTransposed = false } = linear;
    const source = linear instanceof Linear ? linear.weight.detach() : linear.floatWeight();
    const reading = quantize4bit(source, options);
    source.dispose();
    const layer = new Linear4bit(await reading, bias, { storesTransposed });
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
    return linear4bit(x, this.weight, this.bias);
  }

  floatWeight(): Tensor {
    return this.weight.dequantize();
  }

  /** A plain Linear, or Conv1D, that holds the dequantized weight, frozen as it was, and shares the bias. */
  toLinear(): Linear | Conv1D {
    return plainLayer(this, () => this.floatWeight());
  }
}
