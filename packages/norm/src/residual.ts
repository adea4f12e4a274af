import { type Dropout, Module } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';

/** A module from a tensor (and what else it takes) to a tensor of the same shape. */
export interface Layer<Rest extends unknown[] = []> extends Module {
  forward(x: Tensor, ...rest: Rest): Tensor;
}

/**
 * `x + dropout(inner(norm(x)))`: the residual stream itself is never normalised, as in GPT-2 and Llama.
 * What else `forward` is given is passed on to `inner`.
 *
 * @see Xiong et al. 2020, https://arxiv.org/abs/2002.04745
 */
export class PreNormResidual<Rest extends unknown[] = []> extends Module {
  readonly norm: Layer;
  readonly inner: Layer<Rest>;
  readonly dropout: Dropout | null;

  constructor(norm: Layer, inner: Layer<Rest>, dropout: Dropout | null = null) {
    super();
    this.norm = norm;
    this.inner = inner;
    this.dropout = dropout;
  }

  forward(x: Tensor, ...rest: Rest): Tensor {
    return scope(() => {
      const y = this.inner.forward(this.norm.forward(x), ...rest);
      return x.add(this.dropout ? this.dropout.forward(y) : y);
    });
  }
}

/**
 * `norm(x + dropout(inner(x)))`: the order of the first Transformer and of BERT.
 * What else `forward` is given is passed on to `inner`.
 *
 * @see Vaswani et al. 2017, https://arxiv.org/abs/1706.03762
 */
export class PostNormResidual<Rest extends unknown[] = []> extends Module {
  readonly norm: Layer;
  readonly inner: Layer<Rest>;
  readonly dropout: Dropout | null;

  constructor(norm: Layer, inner: Layer<Rest>, dropout: Dropout | null = null) {
    super();
    this.norm = norm;
    this.inner = inner;
    this.dropout = dropout;
  }

  forward(x: Tensor, ...rest: Rest): Tensor {
    return scope(() => {
      const y = this.inner.forward(x, ...rest);
      return this.norm.forward(x.add(this.dropout ? this.dropout.forward(y) : y));
    });
  }
}
