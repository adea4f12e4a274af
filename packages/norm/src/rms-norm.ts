import { init, Module, type Parameter } from '@burin/nn';
import { checkOptions, commonDevice, record, scope, Tensor, widen } from '@burin/tensor';
import { checkEps, checkRows, checkWidth, type NormOptions } from './row-norm.js';

/**
 * Scales each row of `x` to a root mean square of 1, then multiplies by `weight`.
 *
 *     y = x / sqrt(mean(x²) + eps) · weight
 *
 * Sums are float32 or wider whatever `x` is stored as. A row of zeros gives zeros; NaN stays in its row.
 *
 * @param x - `[..., C]`, float32, float16 or bfloat16
 * @param weight - `[C]`; null means 1
 * @param options.eps - added to the mean of squares, not to the root. Default 1e-6.
 * @returns `[..., C]`, float32
 * @throws ShapeError if `weight` is not `[C]`
 * @throws RangeError if `eps` is not greater than 0, or an option is none
 * @see Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467
 * @example
 * await rmsNorm(tensor([[3, 4]]), ones([2])).data(); // [0.8485, 1.1314]
 */
export function rmsNorm(x: Tensor, weight: Tensor | null = null, options: NormOptions = {}): Tensor {
  checkOptions('rmsNorm', options, ['eps']);
  const { eps = 1e-6 } = options;
  return scope(() => {
    const wide = widen(x, 'rmsNorm');
    const scale = weight && widen(weight, 'rmsNorm');
    const { rows, cols } = checkRows('rmsNorm', wide, eps, { weight: scale });
    const device = commonDevice('rmsNorm', wide, scale);
    const y = Tensor.allocate(wide.shape, 'float32', device);
    const rstd = Tensor.allocate([rows], 'float32', device);
    const buffers = [wide.storage.buffer, scale?.storage.buffer ?? null] as const;
    device.kernels.rmsNorm(...buffers, y.storage.buffer, rstd.storage.buffer, rows, cols, eps);

    const parameters = scale ? [scale] : [];
    return record('rmsNorm', [wide, ...parameters], y, [wide, rstd, ...parameters], (g, { saved, needs, into }) => {
      const [x, rstd, scale] = saved as [Tensor, Tensor, Tensor | undefined];
      const dx = Tensor.allocate(x.shape, 'float32', device);
      const dweight = scale && needs(1) ? (into(1) ?? Tensor.allocate([cols], 'float32', device).fill_(0)) : null;
      device.kernels.rmsNormBackward(
        x.storage.buffer,
        scale?.storage.buffer ?? null,
        rstd.storage.buffer,
        g.storage.buffer,
        dx.storage.buffer,
        dweight?.storage.buffer ?? null,
        rows,
        cols,
      );
      return [dx, dweight];
    });
  });
}

/** RMSNorm over the last axis with a learned scale, as in Llama: `[..., C] -> [..., C]`. See {@link rmsNorm}. */
export class RmsNorm extends Module {
  readonly weight: Parameter; // [C], ones at first
  readonly eps: number;

  /** @throws RangeError if `width` is not a whole number of 1 or more, `eps` is not greater than 0, or an option is none */
  constructor(width: number, options: NormOptions = {}) {
    super();
    checkOptions('RmsNorm', options, ['eps']);
    const { eps = 1e-6 } = options;
    checkWidth('RmsNorm', 'width', width);
    checkEps('RmsNorm', eps);
    this.weight = init.ones([width]);
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight, { eps: this.eps });
  }
}
