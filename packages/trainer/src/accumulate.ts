import { type Device, full, keep, scope, type Tensor } from '@burin/tensor';
import type { Window } from './data/windows.js';
import { type TrainableModel, trainingOutput } from './model.js';

/**
 * Adds the gradient of a whole window to the parameters, batch by batch:
 *
 *     loss = Σ batches (trained tokens of the batch / trained tokens of the window) · mean loss of the batch
 *
 * which is the sum over trained tokens divided by their number, whatever the batches' lengths; so several small batches
 * give the gradient of one big one. A batch without a trained token adds nothing and is not run.
 *
 * @returns the share of each batch in the loss, scalars that the caller frees
 */
export function accumulateGradients(
  model: TrainableModel,
  window: Window,
  device: Device,
  labelSmoothing: number,
): Tensor[] {
  const shares: Tensor[] = [];
  for (const { batch, trained } of window.batches) {
    if (trained === 0) continue; // a mean over nothing is NaN
    scope(() => {
      const { loss } = trainingOutput(model, batch, device, labelSmoothing);
      const share = trained / window.trained;
      loss.backward(full(loss.shape, share, { device }));
      shares.push(keep(loss.detach().mul(share)));
    });
  }
  return shares;
}

/** The sum of scalars, read in order; frees them. */
export async function sumAndFree(shares: readonly Tensor[]): Promise<number> {
  const values = await Promise.all(shares.map((share) => share.item()));
  for (const share of shares) share.dispose();
  return values.reduce((sum, value) => sum + value, 0);
}
