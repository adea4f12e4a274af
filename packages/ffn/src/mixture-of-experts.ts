import { init, Module } from '@burin/nn';
import { cat, checkOptions, embedding, type Generator, ShapeError, scope, type Tensor, tensor } from '@burin/tensor';
import type { ActivationName } from './activations.js';
import { ExpertRouter, type Routing, type RoutingOptions } from './expert-router.js';
import { GatedFeedForward } from './gated-feed-forward.js';
import { scatterRows } from './scatter-rows.js';

/** A feed-forward block, `[..., C] -> [..., C]`. */
export interface Expert extends Module {
  forward(x: Tensor): Tensor;
}

/** Blocks that are there already. */
export interface MixtureOfExpertsParts {
  gate: ExpertRouter; // of E experts
  experts: Expert[]; // E
  /** One block that every token goes to as well. Default null. */
  sharedExperts?: Expert | null;
}

/** A new {@link MixtureOfExperts} of SwiGLU blocks. */
export interface MixtureOfExpertsOptions extends RoutingOptions {
  /** E. */
  experts: number;
  /** Hidden width of the block that every token goes to; left out: there is none. */
  sharedHidden?: number;
  /** Default `'silu'`. */
  activation?: ActivationName;
  /** Draws the weights. */
  rng: Generator;
}

const OPTIONS = [
  ...['experts', 'topK', 'sharedHidden', 'activation', 'groups', 'topGroups', 'normalize', 'scale', 'rng'],
];

/**
 * A feed-forward block of many, of which each token passes through a few, `[..., C] -> [..., C]`:
 *
 *     y = Σ weight_e(x) · expert_e(x) over the chosen experts, + sharedExperts(x)
 *
 * Each expert reads the tokens that chose it and no others, where the host can see which they are (cpu); on a device that
 * it cannot read at once every expert reads all tokens, with weights of 0: the same result, more work. An expert that no
 * token chose has no gradient.
 *
 * @see Shazeer et al. 2017, https://arxiv.org/abs/1701.06538; shared experts: Dai et al. 2024, https://arxiv.org/abs/2401.06066
 */
export class MixtureOfExperts extends Module {
  readonly gate: ExpertRouter;
  readonly experts: Expert[];
  readonly sharedExperts: Expert | null;

  /**
   * A new one of widths C and F, or one of given parts: `new MixtureOfExperts({ gate, experts })`.
   *
   * @throws RangeError if a number is out of range or an option is none; ShapeError if there are not as many experts as the gate knows
   */
  constructor(width: number, hidden: number, options: MixtureOfExpertsOptions);
  constructor(parts: MixtureOfExpertsParts);
  constructor(first: number | MixtureOfExpertsParts, hidden?: number, options?: MixtureOfExpertsOptions) {
    super();
    const { gate, experts, sharedExperts = null } = typeof first === 'number' ? build(first, hidden!, options!) : first;
    if (gate.experts !== experts.length) {
      throw new ShapeError(
        `MixtureOfExperts: there must be as many experts as the gate knows: expected ${gate.experts}, got ${experts.length}`,
      );
    }
    this.gate = gate;
    this.experts = experts;
    this.sharedExperts = sharedExperts;
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const tokens = x.reshape([-1, x.shape.at(-1)!]); // [N, C]
      const routing = this.gate.forward(tokens);
      const rows = rowsOfExperts(routing.chosen, this.gate.options.topK);
      const mixed = rows ? this.mixChosen(tokens, routing, rows) : this.mixAll(tokens, routing);
      const y = mixed.reshape(x.shape);
      return this.sharedExperts ? y.add(this.sharedExperts.forward(x)) : y;
    });
  }

  /** Each expert on its own tokens; `rows[e]` are theirs. */
  private mixChosen(tokens: Tensor, { weights }: Routing, rows: readonly number[][]): Tensor {
    const [count] = tokens.shape as [number];
    const ids = (values: number[]) => tensor(Int32Array.from(values), [values.length], { device: tokens.device });
    const busy = rows.flatMap((own, expert) => (own.length > 0 ? [{ own, expert }] : []));
    if (busy.length === 0) return tokens.mul(0); // there are no tokens
    const answers = busy.map(({ own, expert }) => this.experts[expert]!.forward(embedding(tokens, ids(own))));
    const places = busy.flatMap(({ own, expert }) => own.map((row) => row * this.experts.length + expert));
    const counts = embedding(weights.reshape([-1, 1]), ids(places)); // [M, 1]
    return scatterRows(cat(answers, 0).mul(counts), ids(busy.flatMap(({ own }) => own)), count); // [N, C]
  }

  /** Every expert on all tokens. */
  private mixAll(tokens: Tensor, { weights }: Routing): Tensor {
    const answers = this.experts.map((expert, e) => expert.forward(tokens).mul(weights.narrow(1, e, 1)));
    return answers.reduce((sum, answer) => sum.add(answer));
  }
}

/** The tokens of each expert, in their order; null where the host cannot read them at once. */
function rowsOfExperts(chosen: Tensor, topK: number): number[][] | null {
  const bytes = chosen.device.readNow?.(chosen.storage.buffer);
  if (!bytes) return null;
  const [tokens, experts] = chosen.shape as [number, number];
  const flags = new Float32Array(bytes.buffer, bytes.byteOffset, tokens * experts);
  const rows = Array.from({ length: experts }, (): number[] => []);
  for (let i = 0; i < flags.length; i++) if (flags[i] !== 0) rows[i % experts]!.push(Math.floor(i / experts));
  if (rows.some((own) => own.length > 0)) return rows;
  // a device that only counts memory chooses none: tokens are dealt out evenly, as trained gates come near to
  for (let i = 0; i < tokens * topK; i++) rows[i % experts]!.push(Math.floor(i / topK));
  return rows;
}

function build(width: number, hidden: number, options: MixtureOfExpertsOptions): MixtureOfExpertsParts {
  checkOptions('MixtureOfExperts', options, OPTIONS);
  const { experts, sharedHidden, activation = 'silu', rng, ...routing } = options;
  if (!Number.isInteger(experts) || experts < 1) {
    throw new RangeError(`MixtureOfExperts: experts must be a whole number of 1 or more, got ${experts}`);
  }
  const block = (inner: number) => new GatedFeedForward(width, inner, { activation, rng });
  return {
    gate: new ExpertRouter(init.kaimingUniform([experts, width], { rng }), routing),
    experts: Array.from({ length: experts }, () => block(hidden)),
    sharedExperts: sharedHidden === undefined ? null : block(sharedHidden),
  };
}
