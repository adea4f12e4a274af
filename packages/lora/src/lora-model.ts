import type { Module, Parameter } from '@burin/nn';
import type { Generator, Tensor } from '@burin/tensor';
import { AdapterSwitch } from './adapter-switch.js';
import { attachAdapter } from './attach.js';
import { LoraLinear } from './lora-linear.js';
import { largestDifference, type Probe } from './measure.js';
import { describeMerge, type MergeReport } from './merge-report.js';
import { type LoraConfig, type LoraOptions, requireGenerator, resolveOptions } from './options.js';
import { type AdapterPlan, planAdapter } from './plan.js';
import { type AdapterReport, describePlan } from './report.js';
import { SavedModule } from './saved-module.js';
import { TrainedBiases } from './trained-biases.js';
import { replaceWrappers } from './unload.js';
import { isAllZero } from './values.js';

/** The two switches of an adapter that is added. */
export interface AddAdapterOptions {
  /** Whether it takes part in the forward pass. Default false. */
  active?: boolean;
  /** Whether it is trained. Default true. */
  trainable?: boolean;
}

/**
 * A model with adapters: what `applyLora` and `loadAdapter` return. The model itself is changed in place: its Linear
 * layers are wrapped, its own parameters frozen.
 */
export class LoraModel<M extends Module = Module> {
  readonly model: M;
  /** Options of each adapter, by name. */
  readonly configs = new Map<string, LoraConfig>();
  /** What each adapter took hold of, by name. */
  readonly reports = new Map<string, AdapterReport>();
  readonly #switch = new AdapterSwitch();
  readonly #thawed: ReadonlySet<Parameter>; // what was trainable before
  readonly #frozen: ReadonlySet<Parameter>; // what was not
  #biases: TrainedBiases | null = null;
  #merge: MergeReport | null = null;
  #isGone = false;

  /** Changes nothing yet: the first adapter freezes the model. @throws RangeError if it has adapters already */
  constructor(model: M) {
    for (const [name, module] of model.namedModules()) {
      if (!(module instanceof LoraLinear || module instanceof SavedModule)) continue;
      throw new RangeError(`LoraModel: the model has adapters already, at ${name}; call addAdapter of its LoraModel`);
    }
    this.model = model;
    this.#thawed = new Set(model.parameters().filter(({ requiresGrad }) => requiresGrad));
    this.#frozen = new Set(model.parameters().filter(({ requiresGrad }) => !requiresGrad));
  }

  /** Names of the adapters, in the order in which they were added. */
  get adapters(): readonly string[] {
    return [...this.configs.keys()];
  }

  /** Names of the adapters that take part in the forward pass. */
  get active(): readonly string[] {
    return this.#switch.active;
  }

  /** Names of the adapters that are merged into the weights. */
  get merged(): readonly string[] {
    return this.#merge?.adapters ?? [];
  }

  get isEnabled(): boolean {
    return this.#switch.enabled;
  }

  /** Every wrapped layer by its dotted name. */
  *layers(): globalThis.Generator<[name: string, layer: LoraLinear]> {
    for (const [name, module] of this.model.namedModules()) if (module instanceof LoraLinear) yield [name, module];
  }

  /** Every module of which an adapter has a copy, by its dotted name. */
  *savedModules(): globalThis.Generator<[name: string, module: SavedModule]> {
    for (const [name, module] of this.model.namedModules()) if (module instanceof SavedModule) yield [name, module];
  }

  /** The parameters of one adapter by their dotted names in the model. */
  adapterParameters(name: string): Map<string, Parameter> {
    this.#known('adapterParameters', name);
    const own = new RegExp(`\\.(lora_A|lora_B|modules_to_save)\\.${name}\\.`);
    const biases = this.#biases?.adapter === name ? this.#biases.parameters : [];
    return new Map([...[...this.model.namedParameters()].filter(([path]) => own.test(path)), ...biases]);
  }

  /** The values of the base's biases that one adapter trained, by dotted name; they are not in the model while it is off. */
  trainedBiases(name: string): Map<string, Tensor> {
    return this.#biases?.adapter === name ? this.#biases.values() : new Map();
  }

  /** Dotted names of the layers in which an adapter's B is all zeros: after a step of training, those that did not train. */
  async untrainedLayers(name: string): Promise<string[]> {
    this.#known('untrainedLayers', name);
    const untrained: string[] = [];
    for (const [path, { lora_B }] of this.layers()) {
      const up = lora_B.get(name);
      if (up && (await isAllZero(up.weight))) untrained.push(path);
    }
    return untrained;
  }

  // Adapters

  /**
   * Adds one more adapter. It is trained unless told otherwise, and takes part once `setActive` names it.
   *
   * @throws RangeError if the name is taken, or a name or pattern in the options matches nothing
   */
  addAdapter(
    name: string,
    options: LoraOptions,
    { active = false, trainable = true }: AddAdapterOptions = {},
  ): AdapterReport {
    const config = resolveOptions('addAdapter', options);
    requireGenerator('addAdapter', options.rng);
    this.#unmergedOnly('addAdapter');
    const plan = planAdapter('addAdapter', this.model, config);
    return this.attach(name, config, plan, { active, trainable, rng: options.rng });
  }

  /** Adds an adapter that is planned already; `rng` null leaves A as zeros, for values that come from a file. */
  attach(
    name: string,
    config: LoraConfig,
    plan: AdapterPlan,
    { active, trainable, rng }: Required<AddAdapterOptions> & { rng: Generator | null },
  ): AdapterReport {
    this.#unmergedOnly('addAdapter');
    this.#checkNew(name, config);
    if (active) this.#checkCopies('addAdapter', [...this.active, name], plan.saved);
    if (this.configs.size === 0) this.model.requiresGrad_(false);
    attachAdapter(this.model, this.#switch, { name, config, plan, trainable, rng });
    if (plan.biases.size > 0) this.#biases = new TrainedBiases(name, plan.biases, trainable);
    const report = describePlan(name, config, plan);
    this.configs.set(name, config);
    this.reports.set(name, report);
    this.setActive(active ? [...this.active, name] : this.active);
    return report;
  }

  /** Takes an adapter off every layer and frees it. The others stay as they are. */
  deleteAdapter(name: string): void {
    this.#known('deleteAdapter', name);
    this.#unmergedOnly('deleteAdapter');
    this.setActive(this.active.filter((other) => other !== name));
    for (const [, layer] of this.layers()) layer.removeAdapter(name);
    for (const [, module] of this.savedModules()) module.removeAdapter(name);
    if (this.#biases?.adapter === name) this.#dropBiases();
    this.configs.delete(name);
    this.reports.delete(name);
  }

  // Switches: active and trainable are two

  /**
   * Chooses the adapters that take part in the forward pass; their parts are added up. Which are trained does not change.
   *
   * @throws RangeError if one is not there, or two have a copy of the same module
   */
  setActive(names: string | readonly string[]): void {
    const wanted = [...new Set(typeof names === 'string' ? [names] : names)];
    for (const name of wanted) this.#known('setActive', name);
    this.#unmergedOnly('setActive');
    this.#checkCopies('setActive', wanted);
    this.#switch.active = wanted;
    this.#showBiases();
  }

  /**
   * Chooses whether adapters are trained. Which are active does not change.
   *
   * @throws RangeError if one is not there, or has dropout and was loaded without a random generator
   */
  setTrainable(names: string | readonly string[], trainable = true): void {
    for (const name of typeof names === 'string' ? [names] : names) {
      const parameters = this.adapterParameters(name);
      if (trainable) this.#checkDropout(name);
      for (const parameter of parameters.values()) parameter.requiresGrad = trainable;
    }
  }

  /** Makes the model its base again, to the bit, until `enable`; also while adapters are merged. */
  disable(): void {
    this.#switch.enabled = false;
    this.#showBiases();
  }

  /** Undoes `disable`. */
  enable(): void {
    this.#switch.enabled = true;
    this.#showBiases();
  }

  /** Runs `body` on the base. It must not be async: put `disable` and `enable` around one that is. */
  withDisabled<T>(body: () => T): T {
    const before = this.isEnabled;
    this.disable();
    try {
      return body();
    } finally {
      if (before) this.enable();
    }
  }

  // Merging

  /**
   * Adds the active adapters to the weights, so that they cost nothing in the forward pass. The base is kept beside for
   * `unmerge`. A 4-bit base merges into its dequantized weight, held as float32.
   *
   * @param options.probe - a forward pass that returns logits: the largest difference that merging makes in them is measured
   * @throws RangeError if adapters are merged already, disabled, or none is active
   */
  async merge({ probe }: { probe?: Probe } = {}): Promise<MergeReport> {
    this.#unmergedOnly('merge');
    this.#enabledOnly('merge');
    if (this.active.length === 0) {
      throw new RangeError(
        `merge: an adapter must be active, and none of ${this.adapters.join(', ')} is; call setActive`,
      );
    }
    const change = () => {
      for (const [, layer] of this.layers()) layer.merge(this.active);
      this.#merge = describeMerge(this.active, this.layers(), null);
    };
    if (!probe) change();
    else {
      const difference = await largestDifference(this.model, probe, change);
      this.#merge = describeMerge(this.active, this.layers(), difference);
    }
    return this.#merge!;
  }

  /** Takes merged adapters out of the weights again: the base's are what they were, to the bit. */
  unmerge(): void {
    this.#alive('unmerge');
    for (const [, layer] of this.layers()) layer.unmerge();
    this.#merge = null;
  }

  /**
   * Merges, and leaves plain layers in the adapters' place: the model is then an ordinary one, and this object is done
   * with. Frees the adapters, and the base's weights where nothing else of the model shares them.
   *
   * @throws RangeError if adapters are disabled, or none is active
   */
  async mergeAndUnload(options: { probe?: Probe } = {}): Promise<{ model: M; report: MergeReport }> {
    this.#alive('mergeAndUnload');
    this.#enabledOnly('mergeAndUnload');
    const report = this.#merge ?? (await this.merge(options));
    this.#takeOff('current');
    return { model: this.model, report };
  }

  /** Takes every adapter off and frees it: the model is the base again, to the bit, and this object is done with. */
  unload(): M {
    this.unmerge();
    this.#takeOff('original');
    return this.model;
  }

  #takeOff(kept: 'original' | 'current'): void {
    if (kept === 'original') this.disable(); // shows the base's biases
    this.#biases?.dispose();
    replaceWrappers(this.model, kept);
    for (const parameter of this.model.parameters()) {
      parameter.requiresGrad = this.#thawed.size > 0 && !this.#frozen.has(parameter);
    }
    this.#isGone = true;
  }

  #showBiases(): void {
    if (this.#biases) this.#biases.show(this.isEnabled && this.active.includes(this.#biases.adapter));
  }

  #dropBiases(): void {
    this.#biases?.show(false);
    this.#biases?.setTrainable(false);
    this.#biases?.dispose();
    this.#biases = null;
  }

  #checkNew(name: string, { bias }: LoraConfig): void {
    if (!/^[A-Za-z0-9_-]+$/.test(name)) {
      throw new RangeError(`addAdapter: a name must be of letters, digits, _ and -, got '${name}'`);
    }
    if (this.configs.has(name)) {
      throw new RangeError(
        `addAdapter: there is an adapter called '${name}' already; choose another name or call deleteAdapter`,
      );
    }
    if (bias === 'none' || this.#biases === null) return;
    throw new RangeError(
      `addAdapter: one adapter at most may train biases: '${this.#biases.adapter}' does; pass bias: 'none'`,
    );
  }

  /** @param coming - modules of which the one of `names` that is not there yet will have a copy */
  #checkCopies(who: string, names: readonly string[], coming: ReadonlyMap<string, Module> = new Map()): void {
    for (const [path, { modulesToSave }] of this.savedModules()) {
      const hasCopy = (name: string) => (this.configs.has(name) ? modulesToSave.has(name) : coming.has(path));
      const owners = names.filter(hasCopy);
      if (owners.length < 2) continue;
      throw new RangeError(`${who}: one adapter at most may replace a module: ${owners.join(' and ')} replace ${path}`);
    }
  }

  #checkDropout(name: string): void {
    const isThere = [...this.layers()].some(([, { loraDropout }]) => loraDropout.has(name));
    if (this.configs.get(name)!.dropout === 0 || isThere) return;
    throw new RangeError(
      `setTrainable: '${name}' has dropout, and no random numbers to draw it; pass rng to loadAdapter`,
    );
  }

  #unmergedOnly(who: string): void {
    this.#alive(who);
    if (this.#merge === null) return;
    throw new RangeError(`${who}: no adapter may be merged, and ${this.merged.join(', ')} is; call unmerge() first`);
  }

  #enabledOnly(who: string): void {
    if (!this.isEnabled)
      throw new RangeError(`${who}: adapters must be enabled, got disabled ones; call enable() first`);
  }

  #known(who: string, name: string): void {
    this.#alive(who);
    if (this.configs.has(name)) return;
    throw new RangeError(`${who}: there is no adapter '${name}': there is ${this.adapters.join(', ') || 'none'}`);
  }

  #alive(who: string): void {
    if (this.#isGone) throw new RangeError(`${who}: the adapters were unloaded from this model; call applyLora again`);
  }
}
