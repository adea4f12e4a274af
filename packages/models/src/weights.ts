import { Conv1D, Embedding, init, Linear, Parameter } from '@burin/nn';
import { type DType, empty, type Generator } from '@burin/tensor';

/**
 * Makes the layers of a model: with random weights to train from nothing, or blank ones that a checkpoint fills. New
 * weights are `gain` times as large, 1 if it is left out.
 */
export interface Weights {
  linear(inFeatures: number, outFeatures: number, options: { bias: boolean; gain?: number }): Linear;
  /** A Linear that is stored `[in, out]`. */
  conv1d(inFeatures: number, outFeatures: number, options?: { gain?: number }): Conv1D;
  /** A table of any shape. */
  parameter(shape: readonly number[], options?: { gain?: number }): Parameter;
  embedding(count: number, width: number, options?: { paddingIndex?: number; gain?: number }): Embedding;
}

/** Normal with the model's `initializer_range`, biases 0: how Hugging Face initialises the models of this package. */
export function randomWeights(rng: Generator, std: number): Weights {
  return weightsFrom((shape, gain = 1) => init.normal(shape, 0, std * gain, { rng }), init.zeros);
}

/** Stored as `dtype`, with no memory yet: each takes it when a checkpoint fills it. */
export function blankWeights(dtype: DType): Weights {
  const make = (shape: number[]) => new Parameter(empty(shape, { dtype }));
  return weightsFrom(make, make);
}

function weightsFrom(
  make: (shape: number[], gain?: number) => Parameter,
  makeBias: (shape: number[]) => Parameter,
): Weights {
  return {
    linear: (inFeatures, outFeatures, { bias, gain = 1 }) =>
      Linear.from(make([outFeatures, inFeatures], gain), bias ? makeBias([outFeatures]) : null),
    conv1d: (inFeatures, outFeatures, { gain = 1 } = {}) =>
      new Conv1D(make([inFeatures, outFeatures], gain), makeBias([outFeatures])),
    parameter: (shape, { gain = 1 } = {}) => make([...shape], gain),
    embedding: (count, width, { gain = 1, ...options } = {}) => Embedding.from(make([count, width], gain), options),
  };
}

/** The head that reads an embedding table backwards: one matrix for both. */
export function tiedHead(embedding: Embedding, bias: Parameter | null = null): Linear {
  return Linear.from(embedding.weight, bias);
}
