import { logSoftmax, scope, type Tensor } from '@burin/tensor';
import { checkLossOptions } from './reduction.js';
import { checkSameShape } from './same-shape.js';

/** How {@link klDiv} softens and reduces. */
export interface KlDivOptions {
  /** T: both sets of logits are divided by it and the result multiplied by T². Default 1. */
  temperature?: number;
  /** `'batchmean'` (default): the sum over classes, averaged over rows. */
  reduction?: 'batchmean' | 'sum';
}

/**
 * KL(teacher ‖ student) between the distributions of two sets of logits: `T² · Σ p_t (log p_t − log p_s)`. The factor T²
 * keeps gradients of one size whatever the temperature. A teacher's logit of −∞ gives NaN.
 *
 * @param student - `[..., V]` logits
 * @param teacher - logits of the same shape; get no gradient
 * @returns a float32 scalar
 * @throws ShapeError if the shapes differ; RangeError unless the temperature is greater than 0, or for an option or a
 *   reduction that there is not
 * @see Hinton et al. 2015, https://arxiv.org/abs/1503.02531
 * @example
 * await klDiv(student.forward(x), noGrad(() => teacher.forward(x)), { temperature: 2 }).item();
 */
export function klDiv(student: Tensor, teacher: Tensor, options: KlDivOptions = {}): Tensor {
  checkLossOptions('klDiv', options, ['temperature', 'reduction'], ['batchmean', 'sum']);
  const { temperature = 1, reduction = 'batchmean' } = options;
  checkSameShape('klDiv', ['student', student], ['teacher', teacher]);
  if (!(temperature > 0)) throw new RangeError(`klDiv: temperature must be greater than 0, got ${temperature}`);
  return scope(() => {
    const logStudent = logSoftmax(student.mul(1 / temperature));
    const logTeacher = logSoftmax(teacher.detach().mul(1 / temperature));
    const total = logTeacher.exp().mul(logTeacher.sub(logStudent)).sum();
    const rows = student.size / (student.shape.at(-1) ?? 1);
    return total.mul(temperature ** 2 / (reduction === 'sum' ? 1 : rows));
  });
}
