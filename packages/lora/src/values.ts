import { noGrad, scope, type Tensor } from '@burin/tensor';

/** Whether every element is 0. NaN is not. */
export async function isAllZero(tensor: Tensor): Promise<boolean> {
  const largest = scope(() => noGrad(() => tensor.detach().abs().amax()));
  const value = await largest.item();
  largest.dispose();
  return value === 0;
}
