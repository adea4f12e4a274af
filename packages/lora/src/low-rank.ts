import { commonDevice, type Device, record, ShapeError, scope, Tensor } from '@burin/tensor';

/**
 * `y + scale · down · upᵀ`, with its gradient, in one pass over y: the product is added to the memory of `y` where
 * nobody else looks at it, and to a copy elsewhere.
 *
 *     ddown = scale · g · up        dup = scale · gᵀ · down        dy = g
 *
 * @param y - `[..., out]` float32, what the base gave; it is not to be used afterwards
 * @param down - `[..., R]` float32
 * @param up - `[out, R]` float32
 * @throws ShapeError if the shapes do not fit
 * @see Hu et al. 2021, https://arxiv.org/abs/2106.09685
 */
export function addLowRank(y: Tensor, down: Tensor, up: Tensor, scale: number): Tensor {
  const { rows, out, rank } = checkShapes(y, down, up);
  const device = commonDevice('addLowRank', y, down, up);
  const sum =
    y.storage.references === 1 ? new Tensor(y.storage.retain(), y.shape, y.dtype) : scope(() => y.detach().clone());
  product(device, down, up, sum, { m: rows, n: out, k: rank, transposeB: true, scale, accumulate: true });

  const saved = [...(up.requiresGrad ? [down] : []), ...(down.requiresGrad ? [up] : [])];
  return record('addLowRank', [y, down, up], sum, saved, (g, { saved, needs, into }) => {
    const ddown = needs(1) ? Tensor.allocate(down.shape, 'float32', device) : null;
    if (ddown) product(device, g, saved.at(-1)!, ddown, { m: rows, n: rank, k: out, scale, accumulate: false });
    const before = needs(2) ? into(2) : null;
    const dup = needs(2) ? (before ?? Tensor.allocate(up.shape, 'float32', device)) : null;
    const options = { m: out, n: rank, k: rows, transposeA: true, scale, accumulate: before !== null };
    if (dup) product(device, g, saved[0]!, dup, options);
    return [needs(0) ? g : null, ddown, dup];
  });
}

interface ProductOptions {
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  scale: number;
  accumulate: boolean;
}

/** `y (+)= scale · op(a) · op(b)`. */
function product(device: Device, a: Tensor, b: Tensor, y: Tensor, options: ProductOptions): void {
  const { m, n, k, transposeA = false, transposeB = false, scale, accumulate } = options;
  device.kernels.matmul({
    a: a.storage.buffer,
    b: b.storage.buffer,
    bDtype: 'float32',
    y: y.storage.buffer,
    bias: null,
    ...{ batch: 1, m, n, k, transposeA, transposeB, aStride: 0, bStride: 0, alpha: scale, accumulate },
  });
}

function checkShapes(y: Tensor, down: Tensor, up: Tensor): { rows: number; out: number; rank: number } {
  const [out, rank] = up.shape as [number, number];
  const rows = down.size / rank;
  const fits = up.shape.length === 2 && y.shape.at(-1) === out && down.shape.at(-1) === rank && y.size === rows * out;
  if (fits) return { rows, out, rank };
  throw new ShapeError(
    `addLowRank: y must be [..., out], down [..., R] and up [out, R], got [${y.shape}], [${down.shape}] and [${up.shape}]`,
  );
}
