import type { Extent } from './backend.js';
import { declareCodes, type FourBitType } from './four-bit.js';
import type { WgslKernel } from './kernel.js';
import type { Launcher } from './launcher.js';
import type { FourBitProduct } from './matmul-four-bit.js';
import { readOnly, TILE_PARAMETERS, tileParameters } from './product-wgsl.js';

// What products with a 4-bit weight have in common in WGSL. Bindings: x is 1, then those of `declareWeight`, then y.

export const FOUR_BIT_PARAMETERS = `${TILE_PARAMETERS}, in_features : u32, block_size : u32, spare2 : u32, spare3 : u32`;

/** How many inputs a kernel takes; y is bound after them. */
export function inputsOf(bias: boolean): number {
  return bias ? 4 : 3;
}

/** Declares what a product reads besides x, and the numbers of the codes. */
export function declareWeight(type: FourBitType, bias: boolean): string {
  return `
${readOnly(2, 'packed')}
${readOnly(3, 'scales')}
${bias ? readOnly(4, 'bias') : ''}
${declareCodes(type)}`;
}

/** Columns of y, and length of a sum. */
export function sizesOf({ outFeatures, inFeatures, transpose }: FourBitProduct): readonly [n: number, k: number] {
  return transpose ? [inFeatures, outFeatures] : [outFeatures, inFeatures];
}

export function launchFourBit(launcher: Launcher, kernel: WgslKernel, product: FourBitProduct, groups: Extent): void {
  const { x, weight, scales, bias, y, m, inFeatures, accumulate } = product;
  const [n, k] = sizesOf(product);
  const parameters = tileParameters({ m, n, k, bias, accumulate, aStride: 0, bStride: 0, alpha: 1 }, 4);
  parameters.set([inFeatures, weight.blockSize], 8);
  const inputs = [x, weight.packed, scales];
  launcher.launchWgsl(kernel, [y], bias ? [...inputs, bias] : inputs, parameters, groups);
}
