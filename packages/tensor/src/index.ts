export {
  type Backward,
  type BackwardContext,
  backward,
  enableGrad,
  isGradEnabled,
  noGrad,
  record,
} from './autograd.js';
export { checkChoice, checkOptions, checkParameters } from './check-options.js';
export { CpuDevice, type CpuOptions, cpu } from './cpu/index.js';
export {
  arange,
  empty,
  fromBytes,
  full,
  type NestedNumbers,
  ones,
  type TensorOptions,
  tensor,
  toDevice,
  zeros,
} from './create.js';
export type { Device, DeviceBuffer } from './device.js';
export { type DeviceLike, defaultDevice, resolveDevice, setDefaultDevice, withDevice } from './devices.js';
export { DryDevice } from './dry-device.js';
export { BYTES, checkInt32, type DType, isFloating } from './dtype.js';
export { DeviceError, DtypeError, LifetimeError, ShapeError } from './errors.js';
export type {
  AttentionArguments,
  AttentionGradients,
  AttentionKernels,
  HeadStrides,
  RopeArguments,
} from './kernels/attention.js';
export type { BinaryOp, ElementwiseKernels, GateOp, UnaryOp } from './kernels/elementwise.js';
export type { Kernels } from './kernels/index.js';
export type { LossKernels } from './kernels/loss.js';
export type { MatmulArguments, MatmulKernels } from './kernels/matmul.js';
export type { MovementKernels } from './kernels/movement.js';
export type { NormalizationKernels } from './kernels/normalization.js';
export type { AdamArguments, OptimizerKernels, SgdArguments } from './kernels/optimizer.js';
export type { FourBitWeight, QuantizationKernels } from './kernels/quantization.js';
export type { RandomKernels, RandomStream } from './kernels/random.js';
export type { ReduceOp, ReductionKernels } from './kernels/reduction.js';
export { type DeviceMemory, MemoryError, type MemoryPressure, type PressureListener } from './memory.js';
export { add, div, maskedFill, maximum, minimum, mul, pow, sub, where } from './ops/arithmetic.js';
export { embedding } from './ops/indexing.js';
export {
  abs,
  clampMax,
  clampMin,
  cos,
  erf,
  exp,
  gelu,
  log,
  neg,
  quickGelu,
  reciprocal,
  relu,
  rsqrt,
  sigmoid,
  sign,
  silu,
  sin,
  sqrt,
  square,
  tanh,
} from './ops/math.js';
export { linear, type MatmulOptions, matmul } from './ops/matmul.js';
export {
  cast,
  cat,
  expand,
  flatten,
  narrow,
  permute,
  reshape,
  split,
  squeeze,
  stack,
  transpose,
  unsqueeze,
} from './ops/movement.js';
export { commonDevice, widen } from './ops/operand.js';
export {
  type Axes,
  amax,
  amaxAbs,
  amin,
  argmax,
  countNonFinite,
  mean,
  sum,
  sumAbs,
  sumSquares,
} from './ops/reduction.js';
export { logSoftmax, softmax } from './ops/softmax.js';
export { dropout, Generator, type GeneratorState, type RandomOptions, rand, randn, randperm } from './random.js';
export { checkpoint } from './recompute.js';
export { keep, scope } from './scope.js';
export type { Shape } from './shape.js';
export { checkTensor, type HostArray, isTensor, type Operand, Tensor } from './tensor.js';
