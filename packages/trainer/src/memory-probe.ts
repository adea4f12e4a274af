import { type Device, type Generator, MemoryError, scope, type Tensor } from '@burin/tensor';
import type { HostBatch } from './data/host-batch.js';
import { generatorStates, restoreGenerators } from './generators.js';
import { weightBytes } from './memory.js';
import { changingBuffers, type TrainableModel, trainingOutput } from './model.js';

/** What a probe runs on, besides the batch. */
export interface ProbeOptions {
  readonly device: Device;
  readonly generators: ReadonlyMap<string, Generator>;
  readonly labelSmoothing: number;
}

/**
 * Runs a batch forward and backward, measures what it takes, and puts back all that this changes: gradients, running
 * statistics, the places of random generators.
 *
 * @returns bytes without weights and their gradients, logits apart; null if the device's budget does not hold it
 */
export function probeBatch(
  model: TrainableModel,
  batch: HostBatch,
  { device, generators, labelSmoothing }: ProbeOptions,
): { activationBytes: number; logitsBytes: number } | null {
  const { memory } = device;
  const states = generatorStates(generators);
  const buffers = changingBuffers(model);
  let copies: Tensor[] = [];
  let logitsBytes = 0;
  try {
    copies = buffers.map(([, buffer]) => buffer.clone());
    const before = memory.liveBytes;
    memory.resetPeak();
    scope(() => {
      const { loss, logits } = trainingOutput(model, batch, device, labelSmoothing);
      logitsBytes = logits?.byteLength ?? 0;
      loss.backward();
    });
    const taken = memory.peakBytes - before - weightBytes(model).trainable;
    return { activationBytes: Math.max(0, taken - logitsBytes), logitsBytes };
  } catch (error) {
    if (error instanceof MemoryError) return null;
    throw error;
  } finally {
    model.zeroGrad();
    restoreGenerators(generators, states);
    for (const [i, copy] of copies.entries()) {
      buffers[i]![1].copy_(copy);
      copy.dispose();
    }
  }
}
