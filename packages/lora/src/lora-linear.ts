import { Conv1D, Dropout, init, Linear, type LinearLike, Module, type Parameter, plainLayer } from '@burin/nn';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import type { AdapterSwitch } from './adapter-switch.js';
import { addLowRank } from './low-rank.js';
import { hasFloatWeight } from './stored-weight.js';

/** What one adapter is in one layer. */
export interface LayerAdapter {
  rank: number;
  /** What the product of B and A is multiplied by. */
  scale: number;
  /** Probability of dropping an input of A. */
  dropout: number;
  trainable: boolean;
  /** Draws A and the dropout; null for an adapter whose values come from a file: A is zeros, nothing is dropped. */
  rng: Generator | null;
}

/**
 * A Linear with adapters: `y = base(x) + Σ scale · dropout(x) Aᵀ Bᵀ` over those that are active. What the base is, plain
 * or 4-bit, it does not ask. Its fields give the dotted names that PEFT gives.
 *
 * @see Hu et al. 2021, https://arxiv.org/abs/2106.09685
 */
export class LoraLinear extends Module implements LinearLike {
  baseLayer: LinearLike;
  readonly lora_A = new Map<string, Linear>(); // weight [R, in], uniform in ±1/√in
  readonly lora_B = new Map<string, Linear>(); // weight [out, R]; zeros, so that training starts at base(x)
  readonly loraDropout = new Map<string, Dropout>();
  readonly scaling = new Map<string, number>();
  readonly adapters: AdapterSwitch;
  #unmerged: LinearLike | null = null; // the base, while adapters are merged into a copy of it

  constructor(base: LinearLike, adapters: AdapterSwitch) {
    super();
    this.baseLayer = base;
    this.adapters = adapters;
    this.training = base.training;
  }

  get inFeatures(): number {
    return this.baseLayer.inFeatures;
  }

  get outFeatures(): number {
    return this.baseLayer.outFeatures;
  }

  get bias(): Parameter | null {
    return this.baseLayer.bias;
  }

  get isMerged(): boolean {
    return this.#unmerged !== null;
  }

  /** Whether adapters are merged into a float32 copy of a base that is not stored as floats. */
  get isDequantized(): boolean {
    return this.isMerged && !hasFloatWeight(this.originalLayer);
  }

  /** The base without any adapter, also while some are merged. */
  get originalLayer(): LinearLike {
    return this.#unmerged ?? this.baseLayer;
  }

  /** `[..., in] -> [..., out]` */
  forward(x: Tensor): Tensor {
    if (!this.adapters.enabled) return this.originalLayer.forward(x);
    const names = this.isMerged ? [] : this.#activeHere();
    if (names.length === 0) return this.baseLayer.forward(x);
    return scope(() => {
      let y = this.baseLayer.forward(x);
      for (const name of names) y = addLowRank(y, this.#down(name, x), this.#up(name), this.scaling.get(name)!);
      return y;
    });
  }

  /** The weight that `forward` multiplies by, adapters included. */
  floatWeight(): Tensor {
    if (!this.adapters.enabled) return this.originalLayer.floatWeight();
    return this.isMerged ? this.baseLayer.floatWeight() : this.mergedWeight(this.adapters.active);
  }

  addAdapter(name: string, { rank, scale, dropout, trainable, rng }: LayerAdapter): void {
    const shape = [rank, this.inFeatures];
    const down = Linear.from(rng ? init.kaimingUniform(shape, { rng, a: Math.sqrt(5) }) : init.zeros(shape));
    const up = Linear.from(init.zeros([this.outFeatures, rank]));
    for (const { weight } of [down, up]) weight.requiresGrad = trainable;
    this.lora_A.set(name, down);
    this.lora_B.set(name, up);
    this.scaling.set(name, scale);
    if (dropout > 0 && rng) this.loraDropout.set(name, new Dropout(dropout, rng));
    this.train(this.training);
  }

  /** Frees an adapter. */
  removeAdapter(name: string): void {
    this.lora_A.get(name)?.dispose();
    this.lora_B.get(name)?.dispose();
    for (const fields of [this.lora_A, this.lora_B, this.loraDropout, this.scaling]) fields.delete(name);
  }

  /** `W + Σ scale · B A` as float32 `[out, in]`, over those of `names` that this layer has. May share the base's memory. */
  mergedWeight(names: readonly string[]): Tensor {
    return scope(() =>
      this.#here(names).reduce((weight, name) => {
        const product = this.lora_B.get(name)!.weight.detach().matmul(this.lora_A.get(name)!.weight.detach());
        return weight.add(product.mul(this.scaling.get(name)!));
      }, this.baseLayer.floatWeight()),
    );
  }

  /** Puts a plain layer with the merged weight in the base's place; the base is kept aside. Says whether it did. */
  merge(names: readonly string[]): boolean {
    if (this.isMerged || this.#here(names).length === 0) return false;
    const { baseLayer: base } = this;
    // stored as the base's weight is, where that is a float; a 4-bit base merges into float32
    const dtype = base instanceof Linear || base instanceof Conv1D ? base.weight.dtype : 'float32';
    const merged = plainLayer(base, () => this.mergedWeight(names), dtype);
    this.#unmerged = this.baseLayer;
    this.baseLayer = merged;
    return true;
  }

  /** Puts the base back as it was, to the bit, and frees the merged weight. */
  unmerge(): void {
    if (!this.#unmerged) return;
    (this.baseLayer as Linear | Conv1D).weight.dispose();
    this.baseLayer = this.#unmerged;
    this.#unmerged = null;
  }

  #activeHere(): string[] {
    return this.#here(this.adapters.active);
  }

  #here(names: readonly string[]): string[] {
    return names.filter((name) => this.lora_A.has(name));
  }

  #down(name: string, x: Tensor): Tensor {
    const input = this.loraDropout.get(name)?.forward(x) ?? x;
    return this.lora_A.get(name)!.forward(input); // [..., R]
  }

  #up(name: string): Parameter {
    return this.lora_B.get(name)!.weight;
  }
}
