import { commonDevice, record, Tensor } from '@burin/tensor';

/** `[N, C]` or `[N, C, L]` as the kernels see it. */
function sizesOf(x: Tensor): [batch: number, channels: number, length: number] {
  const [batch, channels, length = 1] = x.shape as [number, number, number?];
  return [batch, channels, length];
}

/** Mean and biased variance of each channel, `[C]` each. Not recorded: channelNorm's gradient flows through them. */
export function channelMoments(x: Tensor): { mean: Tensor; variance: Tensor } {
  const [batch, channels, length] = sizesOf(x);
  const mean = Tensor.allocate([channels], 'float32', x.device);
  const variance = Tensor.allocate([channels], 'float32', x.device);
  const outputs = [mean.storage.buffer, variance.storage.buffer] as const;
  x.device.kernels.channelMoments(x.storage.buffer, ...outputs, batch, channels, length);
  return { mean, variance };
}

interface ChannelNormOptions {
  eps: number;
  /** `mean` and `variance` are those of this x, so the gradient flows through them; else they are constants. */
  batchMoments: boolean;
}

/** `y = (x − mean) / sqrt(variance + eps) · weight + bias`, a number of each a channel. Shapes are checked by the caller. */
export function channelNorm(
  x: Tensor,
  mean: Tensor,
  variance: Tensor,
  weight: Tensor,
  bias: Tensor,
  { eps, batchMoments }: ChannelNormOptions,
): Tensor {
  const { kernels } = commonDevice('BatchNorm', x, mean, weight, bias);
  const sizes = sizesOf(x);
  const y = Tensor.allocate(x.shape, 'float32', x.device);
  kernels.channelNorm(
    x.storage.buffer,
    mean.storage.buffer,
    variance.storage.buffer,
    weight.storage.buffer,
    bias.storage.buffer,
    y.storage.buffer,
    ...sizes,
    eps,
  );
  return record('BatchNorm', [x, weight, bias], y, [x, mean, variance, weight], (g, { saved, needs, into }) => {
    const [x, mean, variance, weight] = saved as [Tensor, Tensor, Tensor, Tensor];
    const gradientOf = (i: number) =>
      needs(i) ? (into(i) ?? Tensor.allocate(mean.shape, 'float32', x.device).fill_(0)) : null;
    const dx = Tensor.allocate(x.shape, 'float32', x.device);
    const [dweight, dbias] = [gradientOf(1), gradientOf(2)];
    kernels.channelNormBackward(
      x.storage.buffer,
      mean.storage.buffer,
      variance.storage.buffer,
      weight.storage.buffer,
      g.storage.buffer,
      dx.storage.buffer,
      dweight?.storage.buffer ?? null,
      dbias?.storage.buffer ?? null,
      ...sizes,
      eps,
      batchMoments,
    );
    return [dx, dweight, dbias];
  });
}
