import type { HeadLayout } from '@burin/nn';
import { type HeadStrides, permute, ShapeError, type Tensor } from '@burin/tensor';

/** Lengths and distances of a tensor of heads, whichever axis counts tokens. */
export interface HeadSizes {
  batch: number;
  heads: number;
  tokens: number;
  dim: number;
  strides: HeadStrides;
}

/** @throws ShapeError if `x` has not the four axes of `layout` */
export function headSizes(who: string, name: string, x: Tensor, layout: HeadLayout): HeadSizes {
  if (x.shape.length !== 4) {
    const axes = layout === 'bthd' ? '[B, T, H, D]' : '[B, H, T, D]';
    throw new ShapeError(
      `${who}: ${name} must have the axes of layout '${layout}': expected ${axes}, got [${x.shape}]`,
    );
  }
  const [batch, second, third, dim] = x.shape as [number, number, number, number];
  const [outer, inner] = [third * dim, dim]; // distances along the second and third axis
  return layout === 'bthd'
    ? { batch, tokens: second, heads: third, dim, strides: { batch: second * outer, token: outer, head: inner } }
    : { batch, heads: second, tokens: third, dim, strides: { batch: second * outer, head: outer, token: inner } };
}

/** The shape of a tensor of heads in `layout`. */
export function headShape(layout: HeadLayout, batch: number, heads: number, tokens: number, dim: number): number[] {
  return layout === 'bthd' ? [batch, tokens, heads, dim] : [batch, heads, tokens, dim];
}

/** `[B, H, T, D]`: itself, or a copy of `[B, T, H, D]`. */
export function headsFirst(x: Tensor, layout: HeadLayout): Tensor {
  return layout === 'bhtd' ? x : permute(x, [0, 2, 1, 3]);
}
