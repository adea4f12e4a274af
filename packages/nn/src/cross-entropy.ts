import {
  checkInt32,
  commonDevice,
  DtypeError,
  embedding,
  record,
  ShapeError,
  scope,
  Tensor,
  widen,
} from '@burin/tensor';
import { checkLossOptions, type Reduction } from './reduction.js';

/** How {@link crossEntropy} weighs and reduces. */
export interface CrossEntropyOptions {
  /** Rows with this label have no loss and do not count in the mean. Default −100. */
  ignoreIndex?: number;
  /** s, the share of the target that is spread evenly over the classes, in [0, 1). Default 0. */
  labelSmoothing?: number;
  /** float32 `[V]`, no negative ones; the mean is then Σ loss / Σ weight of the labels, as PyTorch's. */
  classWeight?: Tensor | null;
  /** Default 'mean'. */
  reduction?: Reduction;
}

/** What the kernel is told besides logits and labels. */
export interface Settings {
  classWeight: Tensor | null;
  ignoreIndex: number;
  labelSmoothing: number;
}

/**
 * Cross entropy of logits against labels, stable, in one pass over the logits:
 *
 *     loss = w[label]·(1 − s)·(lse − logits[label]) + s/V · Σc w[c]·(lse − logits[c])       lse = log Σc exp(logits[c])
 *
 * @param logits - `[..., V]`, float32, float16 or bfloat16
 * @param labels - int32 `[...]`, each 0 .. V − 1 or `ignoreIndex`. A device cannot refuse another one: its loss is NaN;
 *   check them on the host with `checkLabels`.
 * @returns float32: a scalar, or `[...]` with reduction `'none'`. The mean over no label at all is NaN, as in PyTorch.
 * @throws ShapeError if labels or class weights do not fit the logits; DtypeError if labels are not int32, or class
 *   weights not float32; RangeError if `labelSmoothing` is not in [0, 1), `ignoreIndex` is not an int32, or for an option or
 *   a reduction that there is not
 * @see Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7, for label smoothing
 * @example
 * await crossEntropy(tensor([[0, 0]]), tensor(Int32Array.of(1))).item(); // 0.6931472
 */
export function crossEntropy(logits: Tensor, labels: Tensor, options: CrossEntropyOptions = {}): Tensor {
  checkLossOptions('crossEntropy', options, ['ignoreIndex', 'labelSmoothing', 'classWeight', 'reduction']);
  const { ignoreIndex = -100, labelSmoothing = 0, classWeight = null, reduction = 'mean' } = options;
  const settings = { classWeight, ignoreIndex, labelSmoothing };
  return scope(() => {
    const x = widen(logits, 'crossEntropy');
    checkOperands(x, labels, settings);
    const losses = rowLosses(x, labels, settings);
    if (reduction === 'none') return losses;
    const total = losses.sum();
    return reduction === 'sum' ? total : total.div(countedWeight(labels, settings));
  });
}

function checkOperands(x: Tensor, labels: Tensor, { classWeight, ignoreIndex, labelSmoothing }: Settings): void {
  checkInt32('crossEntropy: labels', labels);
  checkIgnoreIndex('crossEntropy', ignoreIndex);
  const rows = x.shape.slice(0, -1);
  if (x.shape.length < 1 || `${rows}` !== `${labels.shape}`) {
    throw new ShapeError(
      `crossEntropy: labels must have the shape of logits without the last axis: ` +
        `expected [${rows}], got [${labels.shape}] (logits are [${x.shape}])`,
    );
  }
  if (classWeight && `${classWeight.shape}` !== `${x.shape.at(-1)}`) {
    throw new ShapeError(
      `crossEntropy: classWeight must be one number a class: expected [${x.shape.at(-1)}], got [${classWeight.shape}]`,
    );
  }
  if (classWeight && classWeight.dtype !== 'float32') {
    throw new DtypeError(`crossEntropy: classWeight must be float32, got ${classWeight.dtype}`);
  }
  if (!(labelSmoothing >= 0 && labelSmoothing < 1)) {
    throw new RangeError(`crossEntropy: labelSmoothing must be in [0, 1), got ${labelSmoothing}`);
  }
}

/** @throws RangeError if it is no label: kernels would cut it to one */
export function checkIgnoreIndex(who: string, ignoreIndex: number): void {
  if (ignoreIndex === (ignoreIndex | 0)) return;
  throw new RangeError(`${who}: ignoreIndex must be a whole number that int32 holds, got ${ignoreIndex}`);
}

/** The loss of each row, 0 where it is ignored. Its gradient comes from the saved lse, with no probabilities kept. */
function rowLosses(x: Tensor, labels: Tensor, { classWeight, ignoreIndex, labelSmoothing }: Settings): Tensor {
  const device = commonDevice('crossEntropy', x, labels, classWeight);
  const cols = x.shape.at(-1)!;
  const rows = labels.size;
  const loss = Tensor.allocate(labels.shape, 'float32', device);
  const lse = Tensor.allocate(labels.shape, 'float32', device);
  const weight = classWeight?.storage.buffer ?? null;
  const [bx, blabels, blse] = [x.storage.buffer, labels.storage.buffer, lse.storage.buffer];
  const bloss = loss.storage.buffer;
  device.kernels.crossEntropy(bx, blabels, weight, bloss, blse, rows, cols, ignoreIndex, labelSmoothing);
  const saved = classWeight ? [x, labels, lse, classWeight] : [x, labels, lse];
  return record('crossEntropy', [x], loss, saved, (g) => {
    const dx = Tensor.allocate(x.shape, 'float32', device);
    const [bg, bdx] = [g.storage.buffer, dx.storage.buffer];
    device.kernels.crossEntropyBackward(bx, blabels, weight, blse, bg, bdx, rows, cols, ignoreIndex, labelSmoothing);
    return [dx];
  });
}

/** How many labels count, or Σ of their class weights: computed on the device, so that nothing is read back. */
export function countedWeight(labels: Tensor, { classWeight, ignoreIndex }: Settings): Tensor {
  const counts = labels.to('float32').sub(ignoreIndex).abs().clampMax(1); // 0 where ignored, else 1
  if (!classWeight) return counts.sum();
  const weights = embedding(classWeight.detach().reshape([-1, 1]), labels).reshape(labels.shape);
  return counts.mul(weights).sum();
}
