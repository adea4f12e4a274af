import { type Module, stateTargets } from '@burin/nn';
import { DryDevice, empty, type Generator, scope, type Tensor, withDevice } from '@burin/tensor';
import { architectures } from './architectures.js';
import { ConfigReader, type RawConfig } from './config-reader.js';
import type { LayerConversion } from './layer-conversion.js';
import { chooseArchitecture } from './load-pretrained.js';
import type { PretrainedModel } from './pretrained-model.js';
import { type BatchSizes, trainingInput } from './training-input.js';
import { blankWeights } from './weights.js';

/** What is trained, and how. */
export interface MemoryEstimateOptions extends BatchSizes {
  /** How weights are stored. Default float32. */
  dtype?: 'float32' | 'float16' | 'bfloat16';
  /** As for `fromPretrained`: `to4bit()` of `@burin/quant-nf4` for 4-bit weights. */
  convert?: LayerConversion;
  /** What is done to the model before it is trained, such as `applyLora`. Left out: all of it is trained. */
  adapt?: (model: Module) => unknown;
  /** Layers are recomputed in the backward pass. Default false. */
  gradientCheckpointing?: boolean;
  /** Take the loss without holding the logits, as the trainer does, where the model can. Default true. */
  fusedLoss?: boolean;
  /** float32 numbers that the optimizer keeps of each trained one: 2 of Adam and AdamW (default), 1 of SGD with momentum. */
  optimizerStates?: number;
  /** Draws dropout; what it drops is kept for the backward pass. Left out: nothing is dropped. */
  rng?: Generator;
}

/** What training takes on its device, item by item, in bytes. */
export interface MemoryEstimate {
  /** The model's own weights, as they are stored. */
  readonly base: number;
  /** What `adapt` added. */
  readonly adapters: number;
  /** Of all that is trained. */
  readonly gradients: number;
  readonly optimizerState: number;
  /** What is held at the peak besides: for the backward pass, and in between. */
  readonly activations: number;
  /** 0 where the loss never holds them. */
  readonly logits: number;
  /** The most that is held at once: the sum. */
  readonly total: number;
}

/** A model as training calls it. */
interface Trainable extends Module {
  forward(input: object): { loss: Tensor | null; logits: Tensor };
  loss?(input: object): Tensor;
}

/**
 * What it takes to train a model, known from config.json alone: the model is built and a step is run on a device that
 * counts memory and computes nothing, so that no weight is read and no size is too large.
 *
 * @param config - what config.json holds
 * @throws ConfigError as `fromPretrained` does; what `convert` and `adapt` throw
 * @example
 * const { total } = await estimateMemory(JSON.parse(text), {
 *   batchSize: 4, sequenceLength: 512,
 *   convert: to4bit({ doubleQuant: true }),
 *   adapt: (model) => applyLora(model, { rank: 8, targetModules: ['q_proj', 'v_proj'], rng }),
 * });
 */
export async function estimateMemory(config: RawConfig, options: MemoryEstimateOptions): Promise<MemoryEstimate> {
  const device = new DryDevice();
  const { memory } = device;
  const reader = new ConfigReader(config, 'config.json');
  const architecture = chooseArchitecture<PretrainedModel>(reader, architectures());
  const weights = blankWeights(options.dtype ?? 'float32');
  const make = () => architecture.fromConfig(config, weights, reader.where, options.rng ?? null);
  const model: Module = withDevice(device, make);
  await takeWeights(model, device, options);
  const base = memory.liveBytes;
  withDevice(device, () => options.adapt?.(model));
  const adapters = memory.liveBytes - base;
  const trained = model.parameters().filter(({ requiresGrad }) => requiresGrad);
  const optimizerState = (options.optimizerStates ?? 2) * 4 * trained.reduce((sum, { size }) => sum + size, 0);
  const input = withDevice(device, () => trainingInput(architecture.architecture, reader, options));
  const step = withDevice(device, () => runStep(model.train() as Trainable, input, device, options));
  const total = base + adapters + optimizerState + step.peak;
  return { base, adapters, gradients: step.gradients, optimizerState, ...restOf(step), total };
}

/** Every weight takes its memory, or that of what it is converted to. */
async function takeWeights(model: Module, device: DryDevice, { convert }: MemoryEstimateOptions): Promise<void> {
  for (const path of convert?.choose(model) ?? []) {
    const layer = model.getModule(path) as Parameters<LayerConversion['convert']>[0];
    const weight = empty(layer.weight.shape, { device });
    model.replaceModule(path, await convert!.convert(layer, weight));
    weight.dispose();
    layer.weight.dispose();
  }
  for (const tensor of stateTargets(model).values()) if (!tensor.storage.isHeld) tensor.fill_(0);
}

/** Bytes beyond weights and optimizer state. */
interface StepMemory {
  readonly peak: number;
  readonly gradients: number;
  readonly logits: number;
}

function runStep(
  model: Trainable,
  input: Record<string, Tensor>,
  { memory }: DryDevice,
  { gradientCheckpointing = false, fusedLoss = true }: MemoryEstimateOptions,
): StepMemory {
  for (const [, module] of model.namedModules()) {
    if ('gradientCheckpointing' in module) module.gradientCheckpointing = gradientCheckpointing;
  }
  const inputBytes = Object.values(input).reduce((sum, { byteLength }) => sum + byteLength, 0);
  const before = memory.liveBytes - inputBytes;
  let logits = 0;
  memory.resetPeak();
  scope(() => {
    if (fusedLoss && model.loss) return model.loss(input).backward();
    const output = model.forward(input);
    logits = output.logits.byteLength;
    output.loss!.backward();
  });
  const gradients = model.parameters().reduce((sum, { grad }) => sum + (grad?.byteLength ?? 0), 0);
  return { peak: Math.max(memory.peakBytes - before, gradients), gradients, logits };
}

function restOf({ peak, gradients, logits }: StepMemory): Pick<MemoryEstimate, 'activations' | 'logits'> {
  const held = Math.min(logits, peak - gradients);
  return { activations: peak - gradients - held, logits: held };
}
