import { commonDevice, type GateOp, record, ShapeError, scope, Tensor, widen } from '@burin/tensor';
import { type Activation, type ActivationName, activationOf } from './activations.js';

/** Activations that one kernel computes together with the product. */
const FUSED: Readonly<Record<string, GateOp>> = {
  silu: 'silu',
  swish: 'silu',
  gelu: 'geluErf',
  gelu_new: 'geluTanh',
  gelu_pytorch_tanh: 'geluTanh',
  relu: 'relu',
  sigmoid: 'sigmoid',
};

/**
 * `activation(gate) · up` in one pass, where the activation has a fused kernel; else in two.
 *
 * SwiGLU is `silu`, GEGLU `gelu`, ReGLU `relu`, the first GLU `sigmoid`.
 *
 * @param gate - any shape
 * @param up - the same shape
 * @param activation - a name of `activationNames`, or a function
 * @throws ShapeError if the shapes differ; RangeError if there is no such activation
 * @see Shazeer 2020, https://arxiv.org/abs/2002.05202
 */
export function gatedActivation(gate: Tensor, up: Tensor, activation: ActivationName | Activation = 'silu'): Tensor {
  return scope(() => {
    const [a, b] = [widen(gate, 'gatedActivation'), widen(up, 'gatedActivation')];
    if (`${a.shape}` !== `${b.shape}`) {
      throw new ShapeError(`gatedActivation: up must have the shape of gate: expected [${a.shape}], got [${b.shape}]`);
    }
    const op = typeof activation === 'string' ? FUSED[activation] : undefined;
    if (op) return fused(op, a, b);
    const f = typeof activation === 'string' ? activationOf(activation) : activation;
    return f(a).mul(b);
  });
}

function fused(op: GateOp, gate: Tensor, up: Tensor): Tensor {
  const device = commonDevice('gatedActivation', gate, up);
  const { kernels } = device;
  const y = Tensor.allocate(gate.shape, 'float32', device);
  kernels.gated(op, gate.storage.buffer, up.storage.buffer, y.storage.buffer, y.size);
  return record('gatedActivation', [gate, up], y, [gate, up], (g, { saved }) => {
    const [gate, up] = saved as [Tensor, Tensor];
    const dgate = Tensor.allocate(gate.shape, 'float32', device);
    const dup = Tensor.allocate(up.shape, 'float32', device);
    kernels.gatedBackward(
      op,
      gate.storage.buffer,
      up.storage.buffer,
      g.storage.buffer,
      dgate.storage.buffer,
      dup.storage.buffer,
      g.size,
    );
    return [dgate, dup];
  });
}
