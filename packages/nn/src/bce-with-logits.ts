import { commonDevice, record, ShapeError, scope, Tensor, widen } from '@burin/tensor';
import { checkLossOptions, type Reduction, reduce } from './reduction.js';
import { checkSameShape } from './same-shape.js';

/** How {@link bceWithLogits} weighs and reduces. */
export interface BceOptions {
  /** float32 `[C]`: scales the positive part of each class, against rare ones. */
  posWeight?: Tensor | null;
  /** Default 'mean': over all elements. */
  reduction?: Reduction;
}

/**
 * Binary cross entropy of logits x against targets t in [0, 1], in its stable form:
 *
 *     loss = (1 − t)·x + (1 + (posWeight − 1)·t)·(log(1 + exp(−|x|)) + max(−x, 0))
 *
 * @param logits - `[..., C]`, float32, float16 or bfloat16
 * @param target - floating, of the same shape; gets no gradient
 * @returns float32: a scalar, or `[..., C]` with reduction `'none'`
 * @throws ShapeError if the target has another shape or `posWeight` is not `[C]`; DtypeError if one is not floating;
 *   RangeError for an option or a reduction that there is not
 * @example
 * await bceWithLogits(tensor([0, 0]), tensor([1, 0])).item(); // 0.6931472
 */
export function bceWithLogits(logits: Tensor, target: Tensor, options: BceOptions = {}): Tensor {
  checkLossOptions('bceWithLogits', options, ['posWeight', 'reduction']);
  const { posWeight = null, reduction = 'mean' } = options;
  return scope(() => {
    const x = widen(logits, 'bceWithLogits');
    const t = widen(target, 'bceWithLogits').detach();
    const weight = posWeight && widen(posWeight, 'bceWithLogits').detach();
    checkSameShape('bceWithLogits', ['logits', x], ['target', t]);
    if (weight && `${weight.shape}` !== `${x.shape.at(-1)}`) {
      throw new ShapeError(
        `bceWithLogits: posWeight must be one number a class: expected [${x.shape.at(-1)}], got [${weight.shape}]`,
      );
    }
    return reduce(elementLosses(x, t, weight), reduction);
  });
}

function elementLosses(x: Tensor, target: Tensor, posWeight: Tensor | null): Tensor {
  const device = commonDevice('bceWithLogits', x, target, posWeight);
  const cols = x.shape.at(-1) ?? 1;
  const rows = cols === 0 ? 0 : x.size / cols;
  const weight = posWeight?.storage.buffer ?? null;
  const [bx, btarget] = [x.storage.buffer, target.storage.buffer];
  const loss = Tensor.allocate(x.shape, 'float32', device);
  device.kernels.bceWithLogits(bx, btarget, weight, loss.storage.buffer, rows, cols);
  const saved = posWeight ? [x, target, posWeight] : [x, target];
  return record('bceWithLogits', [x], loss, saved, (g) => {
    const dx = Tensor.allocate(x.shape, 'float32', device);
    device.kernels.bceWithLogitsBackward(bx, btarget, weight, g.storage.buffer, dx.storage.buffer, rows, cols);
    return [dx];
  });
}
