import { Adam, AdamW, SGD } from '@burin/optim-paged';
import { MemoryError } from '@burin/tensor';
import { type HostBatch, type HostInput, isHostTensor } from './data/host-batch.js';
import { formatBytes, itemiseMemory, type MemoryReport, weightBytes } from './memory.js';
import { type ProbeOptions, probeBatch } from './memory-probe.js';
import type { TrainableModel } from './model.js';
import type { TrainerOptimizer } from './optimizer.js';

export interface PlanOptions extends ProbeOptions {
  /** The `size` longest examples as one batch: the most that a step may have to hold. */
  readonly longest: (size: number) => HostBatch;
  /** Tokens of the longest example. */
  readonly tokens: number;
  readonly batchSize: number;
  readonly accumulation: number;
  readonly optimizer: TrainerOptimizer;
}

/**
 * Measures what the largest batch takes, under the device's budget, and says what the run will need. The optimizer's state
 * is not held against the budget: it is paged. Nothing of the model is changed.
 *
 * @throws MemoryError if the budget does not hold the batch, with the smallest change that was found to fit
 */
export function planMemory(model: TrainableModel, options: PlanOptions): MemoryReport {
  const { device, batchSize, tokens, optimizer, longest } = options;
  const { memory } = device;
  const { trainable, frozen } = weightBytes(model);
  const otherBytes = Math.max(0, memory.liveBytes - trainable - frozen);
  const measured = probeBatch(model, longest(batchSize), options);
  if (!measured) throw new MemoryError(refusal(model, options));
  return itemiseMemory(model, {
    ...measured,
    batch: `the ${batchSize} longest examples, ${tokens} tokens`,
    optimizerStates: statesOf(optimizer),
    budgetBytes: memory.budget,
    otherBytes,
  });
}

/** float32 states that an optimizer keeps for each weight; 0 for one that is not known. */
function statesOf(optimizer: TrainerOptimizer): number {
  if (optimizer instanceof AdamW || optimizer instanceof Adam) return 2;
  return optimizer instanceof SGD && optimizer.paramGroups.some(({ momentum }) => momentum !== 0) ? 1 : 0;
}

function refusal(model: TrainableModel, options: PlanOptions): string {
  const { device, batchSize, tokens } = options;
  const { trainable, frozen } = weightBytes(model);
  return (
    `Trainer: the device's budget of ${formatBytes(device.memory.budget)} does not hold a batch of ${batchSize} examples of ` +
    `${tokens} tokens besides ${formatBytes(trainable + frozen)} of weights and ${formatBytes(trainable)} of gradients; ` +
    remedy(model, options)
  );
}

/** Tries smaller batches, then shorter examples; what is advised has been run. */
function remedy(model: TrainableModel, options: PlanOptions): string {
  const { batchSize, accumulation, tokens, longest } = options;
  const checkpointing = [...model.namedModules()].some(
    ([, module]) => (module as { gradientCheckpointing?: boolean }).gradientCheckpointing === false,
  );
  const also = checkpointing ? '; or try gradientCheckpointing: true' : '';
  for (let size = batchSize - 1; size >= 1; size--) {
    if (batchSize % size !== 0 || !probeBatch(model, longest(size), options)) continue;
    return (
      `perDeviceTrainBatchSize: ${size} with gradientAccumulationSteps: ${(batchSize / size) * accumulation} would fit, ` +
      `and takes the same steps${also}`
    );
  }
  const one = longest(1);
  for (let length = tokens >> 1; length >= 1; length >>= 1) {
    if (!probeBatch(model, { ...one, inputs: cut(one.inputs, length) }, options)) continue;
    return `perDeviceTrainBatchSize: 1 with examples of ${length} tokens at most (maxLength) would fit${also}`;
  }
  return 'not one token would fit: freeze more weights, use a 4-bit base, or raise device.memory.budget';
}

/** Arrays `[1, T]` cut to `[1, to]` where they are longer. */
function cut(inputs: Readonly<Record<string, HostInput>>, to: number): Record<string, HostInput> {
  const shorter = (input: HostInput): HostInput => {
    if (typeof input !== 'object') return input;
    if (!isHostTensor(input)) return cut(input as Readonly<Record<string, HostInput>>, to);
    const isLonger = input.shape.length === 2 && input.shape[1]! > to;
    return isLonger ? { ...input, data: input.data.slice(0, to), shape: [1, to] } : input;
  };
  return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, shorter(input)]));
}
