import type { DeviceBuffer } from '../device.js';

/**
 * `y = f(x)`. `parameter` is used by `silu` (beta: x · sigmoid(beta · x)), `addScalar`, `mulScalar`, `powScalar`,
 * `clampMin`, `clampMax`; 0 elsewhere.
 */
export type UnaryOp =
  | 'neg'
  | 'abs'
  | 'exp'
  | 'log'
  | 'sqrt'
  | 'rsqrt'
  | 'reciprocal'
  | 'square'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'sigmoid'
  | 'erf'
  | 'relu'
  | 'geluErf' // x · Φ(x), exact
  | 'geluTanh' // 0.5 x (1 + tanh(√(2/π)(x + 0.044715 x³)))
  | 'quickGelu' // x · sigmoid(1.702 x)
  | 'silu'
  | 'addScalar'
  | 'mulScalar'
  | 'powScalar'
  | 'clampMin'
  | 'clampMax';

/** Operations of two operands that kernels broadcast. */
export type BinaryOp = 'add' | 'sub' | 'mul' | 'div' | 'pow' | 'maximum' | 'minimum';

/** The activation of a gated feed-forward: `y = activation(gate) · up`. */
export type GateOp = 'silu' | 'geluErf' | 'geluTanh' | 'relu' | 'sigmoid';

/** Element by element. */
export interface ElementwiseKernels {
  unary(op: UnaryOp, x: DeviceBuffer, y: DeviceBuffer, size: number, parameter: number): void;

  /** `dx = g · f'(x)`. The derivative of relu, abs, clamp at the kink is 0 (clamp: 1 where x equals the bound), at NaN NaN. */
  unaryBackward(op: UnaryOp, x: DeviceBuffer, g: DeviceBuffer, dx: DeviceBuffer, size: number, parameter: number): void;

  /**
   * `y = a op b` over `shape`, broadcast by strides (elements; 0 repeats an axis). y is contiguous and may be `a` or
   * `b` where that one is not broadcast. maximum and minimum pass NaN on.
   */
  binary(
    op: BinaryOp,
    a: DeviceBuffer,
    b: DeviceBuffer,
    y: DeviceBuffer,
    shape: readonly number[],
    aStrides: readonly number[],
    bStrides: readonly number[],
  ): void;

  /** `y = condition ? a : b`, broadcast by strides; `condition` is uint8, true where not 0. */
  where(
    condition: DeviceBuffer,
    a: DeviceBuffer,
    b: DeviceBuffer,
    y: DeviceBuffer,
    shape: readonly number[],
    conditionStrides: readonly number[],
    aStrides: readonly number[],
    bStrides: readonly number[],
  ): void;

  /** `y += alpha · x`. */
  addScaled(x: DeviceBuffer, y: DeviceBuffer, alpha: number, size: number): void;

  /** `y = activation(gate) · up`, one pass (Shazeer 2020, https://arxiv.org/abs/2002.05202). */
  gated(op: GateOp, gate: DeviceBuffer, up: DeviceBuffer, y: DeviceBuffer, size: number): void;

  /** `dgate = g · up · activation'(gate)`, `dup = g · activation(gate)`. */
  gatedBackward(
    op: GateOp,
    gate: DeviceBuffer,
    up: DeviceBuffer,
    g: DeviceBuffer,
    dgate: DeviceBuffer,
    dup: DeviceBuffer,
    size: number,
  ): void;
}
