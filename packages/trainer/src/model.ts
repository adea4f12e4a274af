import { crossEntropy, type Module } from '@burin/nn';
import { type Device, isTensor, type Tensor, tensor } from '@burin/tensor';
import { type HostBatch, type HostInput, isHostTensor } from './data/host-batch.js';

/** What a model's `forward` returns, among other things. */
export interface ModelOutput {
  /** Mean over the labels of the batch that are not −100, a scalar. */
  readonly loss?: Tensor | null;
  /** `[B, C]` of a classifier, `[B, T, V]` of a language model. */
  readonly logits?: Tensor | null;
}

/**
 * Any module whose `forward` takes one batch, an object of tensors under the names that the collator gives them, and
 * returns the loss.
 */
export interface TrainableModel extends Module {
  forward(batch: never): ModelOutput;
  /** The loss alone, where the model has a cheaper way to it than `forward`, such as not holding the logits. */
  loss?(batch: never): Tensor;
}

/** What becomes of a `HostInput` on a device. */
type DeviceInput = Tensor | number | boolean | { [name: string]: DeviceInput };

/** A batch's arrays as tensors on a device; call it inside a scope. */
function toTensors({ inputs }: Pick<HostBatch, 'inputs'>, device: Device): Record<string, DeviceInput> {
  const convert = (input: HostInput): DeviceInput => {
    if (typeof input !== 'object') return input;
    if (!isHostTensor(input)) return toTensors({ inputs: input as Readonly<Record<string, HostInput>> }, device);
    return tensor(input.data, input.shape, { device, ...(input.dtype && { dtype: input.dtype }) });
  };
  return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, convert(input)]));
}

/** What a training step runs: `forward`, or the model's own way to the loss where it has one; that gives no logits. */
export function trainingOutput(
  model: TrainableModel,
  batch: HostBatch,
  device: Device,
  labelSmoothing = 0,
): { loss: Tensor; logits: Tensor | null } {
  if (!model.loss || labelSmoothing > 0) return forward(model, batch, device, labelSmoothing);
  return { loss: model.loss(toTensors(batch, device) as never), logits: null };
}

/** Runs the model on a batch, with the loss of `labelSmoothing` where that is not 0. */
export function forward(
  model: TrainableModel,
  batch: HostBatch,
  device: Device,
  labelSmoothing = 0,
): { loss: Tensor; logits: Tensor | null } {
  const inputs = toTensors(batch, device);
  const output = model.forward(inputs as never);
  const logits = isTensor(output?.logits) ? output.logits : null;
  if (labelSmoothing > 0) return { loss: smoothedLoss(logits, inputs.labels, batch, labelSmoothing), logits };
  if (!isTensor(output?.loss) || output.loss.size !== 1) {
    const got = isTensor(output?.loss)
      ? `a loss of [${output.loss.shape}]`
      : Object.keys(output ?? {}).join(', ') || 'nothing';
    throw new TypeError(
      `Trainer: the model's forward must return { loss } of one element, got ${got}; ` +
        `it was given ${Object.keys(inputs).join(', ')}`,
    );
  }
  return { loss: output.loss, logits };
}

function smoothedLoss(
  logits: Tensor | null,
  labels: DeviceInput | undefined,
  { labelShift }: HostBatch,
  labelSmoothing: number,
) {
  if (!logits || !isTensor(labels)) {
    throw new TypeError(
      `Trainer: labelSmoothingFactor needs logits and labels: the ${logits ? 'batch has no labels' : 'model returns no logits'}; leave it out`,
    );
  }
  if (labelShift !== 1) return crossEntropy(logits, labels, { labelSmoothing });
  const steps = labels.shape[1]! - 1; // logits at t are for the label at t + 1
  return crossEntropy(logits.narrow(1, 0, steps), labels.narrow(1, 1, steps), { labelSmoothing });
}

/** Trainable parameters with their dotted names. */
export function trainableParameters(model: Module) {
  return [...model.namedParameters()].filter(([, parameter]) => parameter.requiresGrad);
}

/** Buffers that training may change: running statistics. Bytes are packed weights, which it does not, nor scales beside them. */
export function changingBuffers(model: Module): [name: string, buffer: Tensor][] {
  const buffers = [...model.namedBuffers()];
  const holder = (name: string) => name.slice(0, name.lastIndexOf('.') + 1);
  const packed = new Set(buffers.filter(([, { dtype }]) => dtype === 'uint8').map(([name]) => holder(name)));
  return buffers.filter(([name]) => !packed.has(holder(name)));
}
