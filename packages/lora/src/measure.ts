import type { Module } from '@burin/nn';
import { noGrad, ShapeError, scope, type Tensor } from '@burin/tensor';

/** Runs a forward pass of the model and returns what is to be compared: logits, for the most part. */
export type Probe = () => Tensor;

/**
 * The largest |difference| that `change` makes in what `probe` returns. Both passes run in evaluation mode, without
 * recording.
 *
 * @throws ShapeError if the two have different shapes
 */
export async function largestDifference(model: Module, probe: Probe, change: () => void): Promise<number> {
  const before = evaluate(model, probe);
  change();
  const after = evaluate(model, probe);
  if (`${before.shape}` !== `${after.shape}`) {
    throw new ShapeError(`probe: both passes must give one shape: expected [${before.shape}], got [${after.shape}]`);
  }
  const largest = scope(() => noGrad(() => after.sub(before).abs().amax()));
  const value = await largest.item();
  for (const tensor of [before, after, largest]) tensor.dispose();
  return value;
}

/** A copy: the probe may return memory that the model goes on to use. */
function evaluate(model: Module, probe: Probe): Tensor {
  const modes = [...model.namedModules()].map(([, module]) => [module, module.training] as const);
  model.eval();
  try {
    return scope(() => noGrad(() => probe().clone()));
  } finally {
    for (const [module, training] of modes) module.training = training;
  }
}
