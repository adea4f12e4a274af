import { Module, type Parameter } from '@burin/nn';
import {
  checkOptions,
  embedding,
  linear,
  noGrad,
  ShapeError,
  scope,
  softmax,
  type Tensor,
  tensor,
} from '@burin/tensor';

/** Which experts a token goes to, and what their answers count. */
export interface RoutingOptions {
  /** How many experts each token goes to. */
  topK: number;
  /** Neighbouring experts form so many groups, and a token stays within its best `topGroups`. Default 1: no groups. */
  groups?: number;
  /** How many groups a token's experts may be in; a group is as good as its best expert. Default: all. */
  topGroups?: number;
  /** Whether the weights of a token's experts are made to sum to 1, before `scale`. Default false. */
  normalize?: boolean;
  /** Factor on the weights. Default 1. */
  scale?: number;
}

/** What {@link ExpertRouter} decides for N tokens. */
export interface Routing {
  /** `[N, E]`: what an expert's answer counts; 0 where it is not chosen. With gradients. */
  weights: Tensor;
  /** `[N, E]`: 1 where an expert is chosen, else 0. No gradients. */
  chosen: Tensor;
  /** `[N, E]`: of every expert, before the choice; for a loss that balances them. With gradients. */
  probabilities: Tensor;
}

/** A sum of chosen probabilities is far above this; it keeps a token whose experts all underflow from dividing by 0. */
const TINY = 1e-20;

/**
 * Sends each token to the experts that its gate finds most probable: `softmax(x · weightᵀ)`, the `topK` largest. Gradients
 * flow through the probabilities, not through the choice. No Linear, so that an adapter or 4-bit storage that is meant
 * for all of them passes it by.
 *
 * @see Shazeer et al. 2017, https://arxiv.org/abs/1701.06538; groups: DeepSeek-AI 2024, https://arxiv.org/abs/2405.04434
 */
export class ExpertRouter extends Module {
  readonly weight: Parameter; // [E, C]
  readonly options: Readonly<Required<RoutingOptions>>;

  /**
   * @param weight - `[E, C]`
   * @throws ShapeError if the weight has not two axes; RangeError if a number is out of range or does not divide, or an option
   *   is none
   */
  constructor(weight: Parameter, options: RoutingOptions) {
    super();
    checkOptions('ExpertRouter', options, ['topK', 'groups', 'topGroups', 'normalize', 'scale']);
    const { topK, groups = 1, topGroups = groups, normalize = false, scale = 1 } = options;
    if (weight.shape.length !== 2) {
      throw new ShapeError(`ExpertRouter: the weight must be [E, C], got [${weight.shape}]`);
    }
    this.weight = weight;
    this.options = { topK, groups, topGroups, normalize, scale };
    checkRouting(weight.shape[0]!, this.options);
  }

  get experts(): number {
    return this.weight.shape[0]!;
  }

  /**
   * @param x - `[N, C]`
   * @throws ShapeError if x has other axes
   */
  forward(x: Tensor): Routing {
    const { normalize, scale } = this.options;
    const width = this.weight.shape[1]!;
    if (x.shape.length !== 2 || x.shape[1] !== width) {
      throw new ShapeError(`ExpertRouter: x must be [N, C]: expected [N, ${width}], got [${x.shape}]`);
    }
    return scope(() => {
      const probabilities = softmax(linear(x, this.weight)); // [N, E]
      const chosen = noGrad(() => this.choose(probabilities.detach()));
      const kept = probabilities.mul(chosen);
      const weights = normalize ? kept.div(kept.sum(1, true).add(TINY)) : kept;
      return { weights: scale === 1 ? weights : weights.mul(scale), chosen, probabilities };
    });
  }

  private choose(probabilities: Tensor): Tensor {
    const { topK, groups, topGroups } = this.options;
    if (topGroups === groups) return largest(probabilities, topK);
    const [tokens] = probabilities.shape as [number];
    const size = this.experts / groups;
    const best = probabilities.reshape([tokens, groups, size]).amax(2); // [N, groups]
    const allowed = largest(best, topGroups).reshape([tokens, groups, 1]).expand([tokens, groups, size]);
    // others are below every probability
    return largest(probabilities.sub(allowed.reshape(probabilities.shape).mul(-1).add(1)), topK);
  }
}

/** 1 at the `count` largest elements of each row of values in [−1, 1], the first of equal ones; else 0. */
function largest(values: Tensor, count: number): Tensor {
  const width = values.shape[1]!;
  const rows = tensor(
    Float32Array.from({ length: width * width }, (_, i) => (i % (width + 1) === 0 ? 1 : 0)),
    [width, width],
    { device: values.device },
  ); // row i is 1 at i
  let [left, chosen] = [values, values.mul(0)];
  for (let turn = 0; turn < count; turn++) {
    const next = embedding(rows, left.argmax()); // [N, width]
    chosen = chosen.add(next);
    left = left.sub(next.mul(4)); // below what was not chosen
  }
  return chosen;
}

function checkRouting(experts: number, { topK, groups, topGroups, scale }: Required<RoutingOptions>): void {
  const rule = (holds: boolean, words: string, got: number) => {
    if (!holds) throw new RangeError(`ExpertRouter: ${words}, got ${got}`);
  };
  const within = (value: number, most: number) => Number.isInteger(value) && value >= 1 && value <= most;
  rule(within(groups, experts) && experts % groups === 0, `groups must divide the ${experts} experts`, groups);
  rule(within(topGroups, groups), `topGroups must be a whole number from 1 to the ${groups} groups`, topGroups);
  const most = (experts / groups) * topGroups;
  rule(within(topK, most), `topK must be a whole number from 1 to the ${most} experts to choose from`, topK);
  rule(Number.isFinite(scale) && scale > 0, 'scale must be a number greater than 0', scale);
}
