import { checkOptions, type Tensor } from '@burin/tensor';

/** What becomes of the losses of single elements: their mean, their sum, or nothing. */
export type Reduction = 'mean' | 'sum' | 'none';

/** @throws RangeError that lists what there is, where an option or the reduction is none of it */
export function checkLossOptions(
  who: string,
  options: { reduction?: string },
  known: readonly string[],
  reductions: readonly string[] = ['mean', 'sum', 'none'],
): void {
  checkOptions(who, options, known);
  const { reduction } = options;
  if (reduction === undefined || reductions.includes(reduction)) return;
  throw new RangeError(`${who}: reduction must be ${reductions.join(' or ')}, got ${reduction}`);
}

/** Applies a reduction. The mean of nothing is NaN, as in PyTorch. */
export function reduce(losses: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'none') return losses;
  return reduction === 'sum' ? losses.sum() : losses.mean();
}
