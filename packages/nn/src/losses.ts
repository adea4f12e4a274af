import { commonDevice, DtypeError, embedding, logSoftmax, record, ShapeError, Tensor, widen } from '@burin/tensor';

/** What becomes of the losses of single elements. */
export type Reduction = 'mean' | 'sum' | 'none';

export interface CrossEntropyOptions {
  /** Rows with this label have no loss and do not count in the mean. Default −100. */
  ignoreIndex?: number;
  /** Share of the target spread evenly over the classes, in [0, 1). Default 0. */
  labelSmoothing?: number;
  /** `[V]`; the mean is then weighted, as PyTorch's. */
  classWeight?: Tensor | null;
  reduction?: Reduction;
}

/**
 * Cross entropy of logits against labels: `−log softmax(logits)[label]`, stable, in one pass.
 *
 * @param logits - `[..., V]`
 * @param labels - int32 `[...]`, each 0 .. V − 1 or `ignoreIndex`; see `checkLabels`
 * @returns a scalar, or `[...]` with reduction `'none'`. The mean over no label at all is NaN, as in PyTorch.
 * @throws ShapeError, DtypeError if logits and labels do not fit; RangeError for a bad labelSmoothing
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  const { ignoreIndex = -100, labelSmoothing = 0, classWeight = null, reduction = 'mean' } = options;
  const x = widen(logits, 'crossEntropy');
  checkCrossEntropy(x, labels, classWeight, labelSmoothing);
  const rowLosses = rowCrossEntropy(x, labels, classWeight, ignoreIndex, labelSmoothing);
  if (reduction === 'none') return rowLosses;
  const total = rowLosses.sum();
  if (reduction === 'sum') return total;
  return total.div(countedWeight(labels, classWeight, ignoreIndex));
}

function checkCrossEntropy(x: Tensor, labels: Tensor, classWeight: Tensor | null, smoothing: number): void {
  const cols = x.shape.at(-1);
  if (labels.dtype !== 'int32') throw new DtypeError(`crossEntropy: labels must be int32, got ${labels.dtype}`);
  if (x.shape.length < 1 || `${x.shape.slice(0, -1)}` !== `${labels.shape}`) {
    throw new ShapeError(
      `crossEntropy: labels must have the shape of logits without the last axis: expected [${x.shape.slice(0, -1)}], got [${labels.shape}]`,
    );
  }
  if (classWeight && `${classWeight.shape}` !== `${cols}`) {
    throw new ShapeError(
      `crossEntropy: classWeight must be one number a class: expected [${cols}], got [${classWeight.shape}]`,
    );
  }
  if (!(smoothing >= 0 && smoothing < 1)) {
    throw new RangeError(`crossEntropy: labelSmoothing must be in [0, 1), got ${smoothing}`);
  }
}

function rowCrossEntropy(
  x: Tensor,
  labels: Tensor,
  classWeight: Tensor | null,
  ignoreIndex: number,
  smoothing: number,
): Tensor {
  const device = commonDevice('crossEntropy', x, labels, classWeight);
  const cols = x.shape.at(-1)!;
  const rows = labels.size;
  const loss = Tensor.allocate(labels.shape, 'float32', device);
  const lse = Tensor.allocate(labels.shape, 'float32', device);
  const weight = classWeight?.storage.buffer ?? null;
  const [bx, blabels, blse] = [x.storage.buffer, labels.storage.buffer, lse.storage.buffer];
  device.kernels.crossEntropy(bx, blabels, weight, loss.storage.buffer, blse, rows, cols, ignoreIndex, smoothing);
  const saved = classWeight ? [x, labels, lse, classWeight] : [x, labels, lse];
  return record('crossEntropy', [x], loss, saved, (g) => {
    const dx = Tensor.allocate(x.shape, 'float32', device);
    const [bg, bdx] = [g.storage.buffer, dx.storage.buffer];
    device.kernels.crossEntropyBackward(bx, blabels, weight, blse, bg, bdx, rows, cols, ignoreIndex, smoothing);
    return [dx];
  });
}

/** How many labels count, or Σ of their class weights: computed on the device, so that nothing is read back. */
function countedWeight(labels: Tensor, classWeight: Tensor | null, ignoreIndex: number): Tensor {
  const counts = labels.to('float32').sub(ignoreIndex).abs().clampMax(1); // 0 where ignored, else 1
  if (!classWeight) return counts.sum();
  const weights = embedding(classWeight.detach().reshape([-1, 1]), labels).reshape(labels.shape);
  return counts.mul(weights).sum();
}

/**
 * Binary cross entropy of logits against targets in [0, 1], in its stable form; `posWeight` `[C]` scales the positive
 * part of each class.
 *
 * @param logits - `[..., C]`
 * @param target - float32 of the same shape
 */
export function bceWithLogits(
  logits: Tensor,
  target: Tensor,
  { posWeight = null, reduction = 'mean' }: { posWeight?: Tensor | null; reduction?: Reduction } = {},
): Tensor {
  const x = widen(logits, 'bceWithLogits');
  checkSameShape('bceWithLogits', x, target);
  const cols = posWeight?.size ?? x.shape.at(-1) ?? 1;
  if (posWeight && cols !== x.shape.at(-1)) {
    throw new ShapeError(`bceWithLogits: posWeight must be [${x.shape.at(-1)}], got [${posWeight.shape}]`);
  }
  const device = commonDevice('bceWithLogits', x, target, posWeight);
  const rows = cols === 0 ? 0 : x.size / cols;
  const weight = posWeight?.storage.buffer ?? null;
  const [bx, btarget] = [x.storage.buffer, target.storage.buffer];
  const loss = Tensor.allocate(x.shape, 'float32', device);
  device.kernels.bceWithLogits(bx, btarget, weight, loss.storage.buffer, rows, cols);
  const saved = posWeight ? [x, target, posWeight] : [x, target];
  const recorded = record('bceWithLogits', [x], loss, saved, (g) => {
    const dx = Tensor.allocate(x.shape, 'float32', device);
    device.kernels.bceWithLogitsBackward(bx, btarget, weight, g.storage.buffer, dx.storage.buffer, rows, cols);
    return [dx];
  });
  return reduce(recorded, reduction);
}

/** Mean squared error: `(input − target)²`. */
export function mse(input: Tensor, target: Tensor, { reduction = 'mean' }: { reduction?: Reduction } = {}): Tensor {
  checkSameShape('mse', input, target);
  return reduce(input.sub(target).square(), reduction);
}

/**
 * KL(teacher ‖ student) between the distributions of two sets of logits `[..., V]`, summed over classes:
 * `Σ p_t (log p_t − log p_s)`. With a temperature T both are softened by 1/T and the result scaled by T²
 * (Hinton et al. 2015, https://arxiv.org/abs/1503.02531). No gradient flows to the teacher.
 *
 * @param options.reduction - `'batchmean'` divides the sum by the number of rows
 */
export function klDiv(
  student: Tensor,
  teacher: Tensor,
  { temperature = 1, reduction = 'batchmean' }: { temperature?: number; reduction?: 'batchmean' | 'sum' } = {},
): Tensor {
  checkSameShape('klDiv', student, teacher);
  const logStudent = logSoftmax(student.mul(1 / temperature));
  const logTeacher = logSoftmax(teacher.detach().mul(1 / temperature));
  const total = logTeacher
    .exp()
    .mul(logTeacher.sub(logStudent))
    .sum()
    .mul(temperature * temperature);
  return reduction === 'sum' ? total : total.mul((student.shape.at(-1) ?? 1) / student.size);
}

function reduce(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'none') return losses;
  return reduction === 'sum' ? losses.sum() : losses.mean();
}

function checkSameShape(who: string, a: Tensor, b: Tensor): void {
  if (`${a.shape}` !== `${b.shape}`) {
    throw new ShapeError(`${who}: both must have one shape: expected [${a.shape}], got [${b.shape}]`);
  }
}

/**
 * Checks labels on the host, before they go to a device.
 *
 * @throws RangeError that names the first label that is neither 0 .. classes − 1 nor `ignoreIndex`
 */
export function checkLabels(labels: ArrayLike<number>, classes: number, who: string, ignoreIndex = -100): void {
  for (let i = 0; i < labels.length; i++) {
    const label = labels[i]!;
    if (label !== ignoreIndex && !(Number.isInteger(label) && label >= 0 && label < classes)) {
      throw new RangeError(`${who}: labels must be 0 to ${classes - 1} or ${ignoreIndex}, got ${label} at ${i}`);
    }
  }
}
