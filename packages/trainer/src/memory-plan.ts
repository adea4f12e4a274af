import { Adam, AdamW, SGD } from '@burin/optim-paged';
import type { Generator } from '@burin/tensor';
import { type Device, isFloating, MemoryError, scope, type Tensor } from '@burin/tensor';
import type { HostBatch } from './data/host-batch.js';
import { generatorStates, restoreGenerators } from './generators.js';
import {
  type ExampleMemory,
  estimateMemory,
  formatBytes,
  formatMemory,
  type MemoryReport,
  weightBytes,
} from './memory.js';
import { forward, type TrainableModel } from './model.js';
import type { TrainerOptimizer } from './optimizer.js';

/** Optimizer state that must be on the device at least: two pages. */
const LEAST_STATE_BYTES = 2 ** 21;

export interface PlanOptions {
  readonly device: Device;
  /** The longest example, as a batch of one. */
  readonly longest: HostBatch;
  readonly tokens: number;
  readonly batchSize: number;
  readonly accumulation: number;
  readonly optimizer: TrainerOptimizer;
  readonly generators: ReadonlyMap<string, Generator>;
  readonly labelSmoothing: number;
}

/**
 * Measures what one example needs and says what the run will need. Nothing of the model is changed by it.
 *
 * @throws MemoryError if the device's budget cannot hold the run, with the smallest change that would fit
 */
export async function planMemory(model: TrainableModel, options: PlanOptions): Promise<MemoryReport> {
  const { device, batchSize, optimizer } = options;
  const { memory } = device;
  const { trainable, frozen } = weightBytes(model);
  const otherBytes = Math.max(0, memory.liveBytes - trainable - frozen);
  const example = await measureExample(model, options);
  const report = estimateMemory(model, {
    batchSize,
    example,
    optimizerStates: statesOf(optimizer),
    budgetBytes: memory.budget,
    otherBytes,
  });
  const state = statesOf(optimizer) * trainable;
  const needed = report.totalBytes - state + Math.min(state, LEAST_STATE_BYTES);
  if (needed > memory.budget) throw new MemoryError(refusal(report, needed, example, options));
  return report;
}

/** float32 states that an optimizer keeps for each weight; 0 for one that is not known. */
function statesOf(optimizer: TrainerOptimizer): number {
  if (optimizer instanceof AdamW || optimizer instanceof Adam) return 2;
  return optimizer instanceof SGD && optimizer.paramGroups.some(({ momentum }) => momentum !== 0) ? 1 : 0;
}

/** Runs the longest example forward and backward, and takes back all that this changes. */
async function measureExample(model: TrainableModel, options: PlanOptions): Promise<ExampleMemory> {
  const { device, longest, tokens, generators, labelSmoothing } = options;
  const { memory } = device;
  const states = generatorStates(generators);
  const kept = [...model.namedBuffers()].flatMap(([, buffer]) =>
    isFloating(buffer.dtype) ? [[buffer, buffer.clone()] as const] : [],
  );
  let logitsBytes = 0;
  const before = memory.liveBytes;
  memory.resetPeak();
  try {
    scope(() => {
      const { loss, logits } = forward(model, longest, device, labelSmoothing);
      logitsBytes = logits?.byteLength ?? 0;
      if (loss.requiresGrad) loss.backward();
    });
    const peak = memory.peakBytes - before - weightBytes(model).trainable;
    return { activationBytes: Math.max(0, peak - logitsBytes), logitsBytes, tokens };
  } catch (cause) {
    if (!(cause instanceof MemoryError)) throw cause;
    throw new MemoryError(
      `Trainer: the device's budget of ${formatBytes(memory.budget)} does not hold one example of ${tokens} tokens; ` +
        'shorten the examples with maxLength, set gradientCheckpointing, or raise device.memory.budget',
      { cause },
    );
  } finally {
    model.zeroGrad();
    restoreGenerators(generators, states);
    for (const [buffer, copy] of kept) putBack(buffer, copy);
  }
}

function putBack(buffer: Tensor, copy: Tensor): void {
  buffer.copy_(copy);
  copy.dispose();
}

function refusal(report: MemoryReport, needed: number, example: ExampleMemory, options: PlanOptions): string {
  const { batchSize, accumulation } = options;
  const perExample = example.activationBytes + example.logitsBytes;
  const room = report.budgetBytes - (needed - batchSize * perExample);
  const fits = Math.floor(room / perExample);
  return (
    `Trainer: the run does not fit the device's budget: it needs ${formatBytes(needed)} at least, ` +
    `the budget is ${formatBytes(report.budgetBytes)}:\n${formatMemory(report)}\n${remedy(fits, room, perExample, example, batchSize, accumulation)}`
  );
}

function remedy(
  fits: number,
  room: number,
  perExample: number,
  { tokens }: ExampleMemory,
  batchSize: number,
  accumulation: number,
): string {
  if (fits >= 1) {
    let size = Math.min(fits, batchSize);
    while (batchSize % size !== 0) size--;
    return (
      `perDeviceTrainBatchSize: ${size} with gradientAccumulationSteps: ${(batchSize / size) * accumulation} would fit, ` +
      'and takes the same steps'
    );
  }
  const length = Math.floor((tokens * room) / perExample);
  if (length >= 1) {
    return `perDeviceTrainBatchSize: 1 with examples of ${length} tokens at most (maxLength) would fit; or set gradientCheckpointing`;
  }
  return 'the weights and gradients alone do not fit: freeze more of them, use a 4-bit base, or raise device.memory.budget';
}
