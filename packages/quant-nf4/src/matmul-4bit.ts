import type { Parameter } from '@burin/nn';
import { commonDevice, record, ShapeError, scope, sum, Tensor, widen } from '@burin/tensor';
import type { QuantizedTensor } from './quantized-tensor.js';

/**
 * `x · Wᵀ + bias` with W in 4 bits, and its gradient with respect to x and bias. W is dequantized a panel at a time
 * inside the product, in the forward and in the backward pass: its float form is never whole. W itself has no gradient.
 *
 *     y = x · Wᵀ + bias        dx = g · W        dbias = Σ rows g
 *
 * @param input - `[..., in]`, floating-point
 * @param weight - `[out, in]`
 * @param storedBias - `[out]`, floating-point, or null
 * @returns `[..., out]` float32
 * @throws ShapeError if the last axis of x is not `in`
 */
export function linear4bit(input: Tensor, weight: QuantizedTensor, storedBias: Parameter | null = null): Tensor {
  return scope(() => {
    const bias = storedBias && widen(storedBias, 'linear4bit');
    return product(widen(input, 'linear4bit'), weight, bias);
  });
}

function product(x: Tensor, weight: QuantizedTensor, bias: Tensor | null): Tensor {
  weight.packed.alive('linear4bit');
  const { rows, out, inner } = checkShapes(x, weight, bias);
  const device = commonDevice('linear4bit', x, weight.packed, bias);
  const { kernelWeight } = weight;
  const y = Tensor.allocate([...x.shape.slice(0, -1), out], 'float32', device);
  const biasBuffer = bias ? bias.storage.buffer : null;
  device.kernels.matmul4bit(
    x.storage.buffer,
    kernelWeight,
    biasBuffer,
    y.storage.buffer,
    rows,
    out,
    inner,
    false,
    false,
  );

  const inputs = bias ? [x, bias] : [x];
  const saved = x.requiresGrad ? weight.tensors : []; // holds the codes until the backward pass has read them
  return record('linear4bit', inputs, y, saved, (g, { needs, into }) => {
    const before = needs(0) ? into(0) : null;
    const dx = needs(0) ? (before ?? Tensor.allocate(x.shape, 'float32', device)) : null;
    const [from, to] = [g.storage.buffer, dx?.storage.buffer];
    if (to) device.kernels.matmul4bit(from, kernelWeight, null, to, rows, out, inner, true, before !== null);
    const dbias = bias && needs(1) ? sum(g.reshape([rows, out]), 0) : null;
    return bias ? [dx, dbias] : [dx];
  });
}

function checkShapes(
  x: Tensor,
  weight: QuantizedTensor,
  bias: Tensor | null,
): { rows: number; out: number; inner: number } {
  const [out, inner] = weight.shape as [number, number];
  if (weight.shape.length !== 2 || x.shape.at(-1) !== inner) {
    throw new ShapeError(
      `linear4bit: the last axis of x must have the weight's input length: expected [..., ${inner}], got [${x.shape}] ` +
        `(weight is [${weight.shape}])`,
    );
  }
  if (bias && `${bias.shape}` !== `${out}`) {
    throw new ShapeError(
      `linear4bit: bias must have the weight's output length: expected [${out}], got [${bias.shape}]`,
    );
  }
  return { rows: x.size / inner, out, inner };
}
