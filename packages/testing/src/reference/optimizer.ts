import type { Floats } from './types.js';

/** The fields of @burin/tensor's AdamArguments. */
export interface AdamArguments {
  parameter: Floats;
  gradient: Floats;
  offset: number;
  expAvg: Floats;
  expAvgSq: Floats;
  expAvgOffset: number;
  expAvgSqOffset: number;
  size: number;
  learningRate: number;
  beta1: number;
  beta2: number;
  eps: number;
  weightDecay: number;
  decoupled: boolean;
  biasCorrection1: number;
  biasCorrection2: number;
}

/** The fields of @burin/tensor's SgdArguments. */
export interface SgdArguments {
  parameter: Floats;
  gradient: Floats;
  offset: number;
  momentumBuffer: Floats | null;
  momentumOffset: number;
  size: number;
  learningRate: number;
  momentum: number;
  dampening: number;
  nesterov: boolean;
  weightDecay: number;
  first: boolean;
}

/**
 * One step of Adam (Kingma & Ba 2015, https://arxiv.org/abs/1412.6980), or of AdamW if `decoupled` (Loshchilov & Hutter
 * 2019, https://arxiv.org/abs/1711.05101).
 *
 *     m = β₁ m + (1 − β₁) g      v = β₂ v + (1 − β₂) g²      p −= lr/bc₁ · m / (√v/√bc₂ + eps)
 */
export function adam(args: AdamArguments): void {
  const { parameter, gradient, expAvg, expAvgSq, learningRate, beta1, beta2, eps, weightDecay, decoupled } = args;
  for (let i = 0; i < args.size; i++) {
    const at = args.offset + i;
    const atAvg = args.expAvgOffset + i;
    const atAvgSq = args.expAvgSqOffset + i;
    let p = parameter[at]!;
    let g = gradient[at]!;
    if (decoupled) p *= 1 - learningRate * weightDecay;
    else g += weightDecay * p;
    const m = beta1 * expAvg[atAvg]! + (1 - beta1) * g;
    const v = beta2 * expAvgSq[atAvgSq]! + (1 - beta2) * g * g;
    const denominator = Math.sqrt(v) / Math.sqrt(args.biasCorrection2) + eps;
    expAvg[atAvg] = m;
    expAvgSq[atAvgSq] = v;
    parameter[at] = p - ((learningRate / args.biasCorrection1) * m) / denominator;
  }
}

/**
 * One step of SGD as PyTorch defines it (Sutskever et al. 2013 with the learning rate outside the buffer).
 *
 *     g += wd · p      buffer = first ? g : momentum · buffer + (1 − dampening) · g
 *     p −= lr · (nesterov ? g + momentum · buffer : buffer)          no buffer: p −= lr · g
 */
export function sgd(args: SgdArguments): void {
  const { parameter, gradient, momentumBuffer, momentum, dampening, learningRate, weightDecay } = args;
  for (let i = 0; i < args.size; i++) {
    const at = args.offset + i;
    const atBuffer = args.momentumOffset + i;
    const g = gradient[at]! + weightDecay * parameter[at]!;
    let direction = g;
    if (momentumBuffer) {
      const buffer = args.first ? g : momentum * momentumBuffer[atBuffer]! + (1 - dampening) * g;
      momentumBuffer[atBuffer] = buffer;
      direction = args.nesterov ? g + momentum * buffer : buffer;
    }
    parameter[at] = parameter[at]! - learningRate * direction;
  }
}
