import type { DeviceBuffer } from '../device.js';

/** A piece of one parameter and of its state; offsets and size in elements. float32 throughout. */
export interface AdamArguments {
  parameter: DeviceBuffer;
  gradient: DeviceBuffer;
  offset: number; // into parameter and gradient
  expAvg: DeviceBuffer;
  expAvgSq: DeviceBuffer;
  expAvgOffset: number;
  expAvgSqOffset: number;
  size: number;
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  decoupled: boolean; // AdamW: p *= 1 − lr·wd; otherwise g += wd·p
  biasCorrection1: number; // 1 − beta1^t
  biasCorrection2: number; // 1 − beta2^t
}

/** What a step of SGD is given. */
export interface SgdArguments {
  parameter: DeviceBuffer;
  gradient: DeviceBuffer;
  offset: number;
  momentumBuffer: DeviceBuffer | null;
  momentumOffset: number;
  size: number;
  learningRate: number;
  momentum: number;
  dampening: number;
  nesterov: boolean;
  weightDecay: number; // g += wd·p
  first: boolean; // the buffer starts as the gradient itself
}

/** Steps of optimizers. */
export interface OptimizerKernels {
  /** `p −= lr/bc1 · m / (√v/√bc2 + eps)` (Kingma & Ba 2015; Loshchilov & Hutter 2019), as PyTorch orders it. */
  adam(args: AdamArguments): void;
  sgd(args: SgdArguments): void;
}
