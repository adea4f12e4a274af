import { buffer, init, Module, type Parameter } from '@burin/nn';
import { checkOptions, noGrad, ones, ShapeError, scope, type Tensor, widen, zeros } from '@burin/tensor';
import { channelMoments, channelNorm } from './channel-norm.js';
import { checkEps, checkWidth, type NormOptions } from './row-norm.js';

/** What a {@link BatchNorm} is made of. */
export interface BatchNormOptions extends NormOptions {
  /** The share of a new batch in the running statistics, from 0 to 1. Default 0.1. */
  momentum?: number;
}

/**
 * Batch normalisation of `[N, C]` or `[N, C, L]`, PyTorch's `BatchNorm1d`.
 *
 * Training: each channel is normalised by its mean and biased variance over N and L, and the running statistics move
 * towards them, `running = (1 − momentum) · running + momentum · batch`, with the unbiased variance. Evaluation: the running
 * statistics are used and nothing changes.
 *
 * @see Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167
 */
export class BatchNorm extends Module {
  readonly weight: Parameter; // [C], ones at first
  readonly bias: Parameter; // [C], zeros at first
  readonly runningMean: Tensor; // [C]
  readonly runningVar: Tensor; // [C]
  readonly numBatchesTracked: Tensor; // [] int32; exact up to 2^24
  readonly eps: number;
  readonly momentum: number;

  /**
   * @throws RangeError if `channels` is no width, `eps` is not greater than 0, `momentum` is not from 0 to 1, or an option is
   *   none
   */
  constructor(channels: number, options: BatchNormOptions = {}) {
    super();
    checkOptions('BatchNorm', options, ['eps', 'momentum']);
    const { eps = 1e-5, momentum = 0.1 } = options;
    checkWidth('BatchNorm', 'channels', channels);
    checkEps('BatchNorm', eps);
    // null, which is PyTorch's cumulative average, would pass for 0
    if (!(Number.isFinite(momentum) && momentum >= 0 && momentum <= 1)) {
      throw new RangeError(`BatchNorm: momentum must be from 0 to 1, got ${momentum}`);
    }
    this.weight = init.ones([channels]);
    this.bias = init.zeros([channels]);
    this.runningMean = buffer(zeros([channels]));
    this.runningVar = buffer(ones([channels]));
    this.numBatchesTracked = buffer(zeros([], { dtype: 'int32' }));
    this.eps = eps;
    this.momentum = momentum;
  }

  /**
   * @param x - `[N, C]` or `[N, C, L]`
   * @throws ShapeError if the shape is another, or a training batch has a single value a channel: it has no variance
   */
  forward(x: Tensor): Tensor {
    return scope(() => {
      const wide = widen(x, 'BatchNorm');
      const values = this.valuesPerChannel(wide);
      const { weight, bias, eps } = this;
      if (!this.training) {
        return channelNorm(wide, this.runningMean, this.runningVar, weight, bias, { eps, batchMoments: false });
      }
      const { mean, variance } = channelMoments(wide);
      noGrad(() => this.track(mean, variance, values));
      return channelNorm(wide, mean, variance, weight, bias, { eps, batchMoments: true });
    });
  }

  private track(mean: Tensor, variance: Tensor, values: number): void {
    const { momentum } = this;
    this.runningMean.mul_(1 - momentum).add_(mean, momentum);
    this.runningVar.mul_(1 - momentum).add_(variance, (momentum * values) / (values - 1)); // unbiased
    this.numBatchesTracked.copy_(this.numBatchesTracked.to('float32').add(1));
  }

  private valuesPerChannel(x: Tensor): number {
    const channels = this.weight.size;
    const [N = 0, C, L = 1] = x.shape;
    if ((x.shape.length !== 2 && x.shape.length !== 3) || C !== channels) {
      throw new ShapeError(`BatchNorm: x must be [N, C] or [N, C, L] with C = ${channels}, got [${x.shape}]`);
    }
    if (this.training && N * L < 2) {
      throw new ShapeError(
        `BatchNorm: training needs at least 2 values a channel for a variance, got ${N * L} (x is [${x.shape}]); ` +
          'use a larger batch, or call eval() first',
      );
    }
    return N * L;
  }
}
