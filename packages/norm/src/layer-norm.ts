import { init, Module, type Parameter } from '@burin/nn';
import { checkOptions, commonDevice, record, scope, Tensor, widen } from '@burin/tensor';
import { checkEps, checkRows, checkWidth, type NormOptions } from './row-norm.js';

/**
 * Shifts and scales each row of `x` to mean 0 and variance 1, then multiplies by `weight` and adds `bias`.
 *
 *     y = (x − mean(x)) / sqrt(var(x) + eps) · weight + bias
 *
 * The variance is the biased one, taken in two passes, so that a large mean does not cancel it away. Sums are float32 or
 * wider. A row of equal numbers gives `bias`, but for the rounding of their mean; NaN stays in its row.
 *
 * @param x - `[..., C]`, float32, float16 or bfloat16
 * @param weight - `[C]`; null means 1
 * @param bias - `[C]`; null means 0
 * @param options.eps - added to the variance, not to the root. Default 1e-5.
 * @returns `[..., C]`, float32
 * @throws ShapeError if `weight` or `bias` is not `[C]`
 * @throws RangeError if `eps` is not greater than 0, or an option is none
 * @see Ba et al. 2016, https://arxiv.org/abs/1607.06450
 */
export function layerNorm(
  x: Tensor,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: NormOptions = {},
): Tensor {
  checkOptions('layerNorm', options, ['eps']);
  const { eps = 1e-5 } = options;
  return scope(() => {
    const wide = widen(x, 'layerNorm');
    const scale = weight && widen(weight, 'layerNorm');
    const shift = bias && widen(bias, 'layerNorm');
    const { rows, cols } = checkRows('layerNorm', wide, eps, { weight: scale, bias: shift });
    const device = commonDevice('layerNorm', wide, scale, shift);
    const [y, mean, rstd] = [wide.shape, [rows], [rows]].map((shape) => Tensor.allocate(shape, 'float32', device)) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    device.kernels.layerNorm(
      wide.storage.buffer,
      scale?.storage.buffer ?? null,
      shift?.storage.buffer ?? null,
      y.storage.buffer,
      mean.storage.buffer,
      rstd.storage.buffer,
      rows,
      cols,
      eps,
    );

    const inputs = [wide, ...(scale ? [scale] : []), ...(shift ? [shift] : [])];
    const saved = [wide, mean, rstd, ...(scale ? [scale] : [])];
    return record('layerNorm', inputs, y, saved, (g, { saved, needs, into }) => {
      const [x, mean, rstd, scale] = saved as [Tensor, Tensor, Tensor, Tensor | undefined];
      const gradientOf = (i: number) =>
        needs(i) ? (into(i) ?? Tensor.allocate([cols], 'float32', device).fill_(0)) : null;
      const dx = Tensor.allocate(x.shape, 'float32', device);
      const dweight = scale ? gradientOf(1) : null;
      const dbias = shift ? gradientOf(inputs.length - 1) : null;
      device.kernels.layerNormBackward(
        x.storage.buffer,
        scale?.storage.buffer ?? null,
        mean.storage.buffer,
        rstd.storage.buffer,
        g.storage.buffer,
        dx.storage.buffer,
        dweight?.storage.buffer ?? null,
        dbias?.storage.buffer ?? null,
        rows,
        cols,
      );
      return [dx, ...(scale ? [dweight] : []), ...(shift ? [dbias] : [])];
    });
  });
}

/** LayerNorm over the last axis with a learned scale and shift: `[..., C] -> [..., C]`. See {@link layerNorm}. */
export class LayerNorm extends Module {
  readonly weight: Parameter; // [C], ones at first
  readonly bias: Parameter | null; // [C], zeros at first
  readonly eps: number;

  /** @throws RangeError if `width` is not a whole number of 1 or more, `eps` is not greater than 0, or an option is none */
  constructor(width: number, options: NormOptions & { bias?: boolean } = {}) {
    super();
    checkOptions('LayerNorm', options, ['eps', 'bias']);
    const { eps = 1e-5, bias = true } = options;
    checkWidth('LayerNorm', 'width', width);
    checkEps('LayerNorm', eps);
    this.weight = init.ones([width]);
    this.bias = bias ? init.zeros([width]) : null;
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight, this.bias, { eps: this.eps });
  }
}
