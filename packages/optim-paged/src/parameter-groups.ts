import {
  checkOptions,
  checkParameters,
  checkTensor,
  type Device,
  DeviceError,
  DtypeError,
  isTensor,
  type Tensor,
} from '@burin/tensor';
import type { UpdateRule } from './update-rule.js';

/** A parameter, or a parameter with the name that messages and the state dict give it. */
export type MaybeNamed = Tensor | readonly [name: string, parameter: Tensor];

/** Parameters with hyperparameters of their own; what is left out is as for the whole optimizer. */
export type ParameterGroupOptions<H> = { params: Iterable<MaybeNamed> } & Partial<H>;

/** `model.parameters()`, `model.namedParameters()`, or groups. */
export type OptimizerParameters<H> = Iterable<MaybeNamed> | readonly ParameterGroupOptions<H>[];

/** A group as it is in force. Its hyperparameters may be changed between steps. */
export type ParameterGroup<H> = H & {
  readonly params: readonly Tensor[];
  /** The learning rate that a scheduler multiplies; set by the scheduler. */
  initialLr?: number;
};

/** A parameter of an optimizer. */
export interface Entry<H> {
  readonly key: string; // its name, or its place in the order of all parameters
  readonly parameter: Tensor;
  readonly group: ParameterGroup<H>;
  step: number; // updates that its state has seen
  placed: boolean; // whether pages hold its state
}

/** The parameters of an optimizer by group, each once. */
export class ParameterGroups<H extends object> {
  readonly groups: ParameterGroup<H>[] = [];
  readonly entries: Entry<H>[] = [];
  readonly #rule: UpdateRule<H>;
  readonly #defaults: H;
  readonly #keys = new Map<string, Tensor>();
  readonly #known = new Map<Tensor, ParameterGroup<H>>();

  /** @throws RangeError, DtypeError, DeviceError as {@link add}, or RangeError if there is no parameter */
  constructor(rule: UpdateRule<H>, params: OptimizerParameters<H>, options: Partial<H>) {
    this.#rule = rule;
    this.#defaults = { ...rule.defaults, ...known(rule, options) };
    for (const group of toGroups<H>(rule.name, params)) this.add(group);
    if (this.entries.length > 0) return;
    throw new RangeError(`${rule.name}: there is no parameter to train; expected one or more, got an empty list`);
  }

  /** The device that all parameters are on. */
  get device(): Device {
    return this.entries[0]!.parameter.device;
  }

  /**
   * Adds a group; nothing is added if it is refused.
   *
   * @throws RangeError if a hyperparameter is unknown or out of range, a parameter is in another group already or is the
   *   result of an operation, or two parameters have one name
   * @throws DtypeError if a parameter that requires a gradient is not float32
   * @throws DeviceError if not all parameters are on one device
   */
  add({ params, ...options }: ParameterGroupOptions<H>): void {
    checkParameters(this.#rule.name, params);
    const hyperparameters = { ...this.#defaults, ...known(this.#rule, options as Partial<H>) };
    this.#rule.check(hyperparameters);
    const members = new Map<Tensor, string>();
    for (const item of params) {
      const [name, parameter] = Array.isArray(item) ? (item as [string, Tensor]) : [null, item as Tensor];
      const key = name ?? String(this.entries.length + members.size);
      if (members.has(parameter)) continue; // tied: one update, under its first name
      this.#checkParameter(key, parameter, members);
      members.set(parameter, key);
    }
    this.#accept(hyperparameters, members);
  }

  #accept(hyperparameters: H, members: Map<Tensor, string>): void {
    const group = { ...hyperparameters, params: [...members.keys()] } as ParameterGroup<H>;
    this.groups.push(group);
    for (const [parameter, key] of members) {
      this.#keys.set(key, parameter);
      this.#known.set(parameter, group);
      this.entries.push({ key, parameter, group, step: 0, placed: false });
    }
  }

  #checkParameter(key: string, parameter: Tensor, members: Map<Tensor, string>): void {
    const who = this.#rule.name;
    checkTensor(parameter, `${who}: parameter ${key}`);
    if (this.#known.has(parameter)) {
      const group = this.groups.indexOf(this.#known.get(parameter)!);
      throw new RangeError(
        `${who}: a parameter belongs to one group: expected ${key} in one, ` +
          `got it in group ${group} and in group ${this.groups.length}; leave it out of one of them`,
      );
    }
    if (this.#keys.has(key) || [...members.values()].includes(key)) {
      throw new RangeError(`${who}: parameters must have names of their own, got ${key} for two of them`);
    }
    if (parameter.node) {
      throw new RangeError(
        `${who}: parameter ${key} is the result of ${parameter.node.name}, which no gradient is kept for; ` +
          'give the tensors that it was made from, or detach() it',
      );
    }
    const first = this.entries[0]?.parameter ?? [...members.keys()][0] ?? parameter;
    if (first.device !== parameter.device) {
      throw new DeviceError(
        `${who}: parameters must be on one device: expected ${first.device.name}, ` +
          `got parameter ${key} on another (${parameter.device.name}); make an optimizer for each device`,
      );
    }
    if (parameter.requiresGrad) checkTrainable(who, key, parameter);
  }
}

/** @throws DtypeError if a parameter that is to be trained is not float32 */
export function checkTrainable(who: string, key: string, parameter: Tensor): void {
  if (parameter.dtype !== 'float32') {
    throw new DtypeError(
      `${who}: parameter ${key}: expected float32 to be trained, got ${parameter.dtype}; ` +
        "train a float32 copy (new Parameter(parameter.to('float32'))), or freeze it: requiresGrad = false",
    );
  }
}

/** @throws DtypeError if a gradient is not float32, or not as large as its parameter */
export function checkGradient(who: string, key: string, { shape, size, grad }: Tensor): void {
  if (!grad) return;
  grad.alive(`${who}: the gradient of parameter ${key}`);
  if (grad.dtype === 'float32' && grad.size === size) return;
  throw new DtypeError(
    `${who}: parameter ${key}: expected a gradient of float32 [${shape}], got ${grad.dtype} [${grad.shape}]`,
  );
}

function toGroups<H>(who: string, params: OptimizerParameters<H>): ParameterGroupOptions<H>[] {
  checkParameters(who, params);
  const items: readonly unknown[] = [...params];
  const isGroup = (item: unknown) => typeof item === 'object' && item !== null && 'params' in item && !isTensor(item);
  if (items.length > 0 && items.every(isGroup)) return items as ParameterGroupOptions<H>[];
  return [{ params: items } as unknown as ParameterGroupOptions<H>];
}

/** @throws RangeError that lists what there is if a hyperparameter is none of the rule's */
function known<H extends object>(rule: UpdateRule<H>, options: Partial<H>): Partial<H> {
  checkOptions(rule.name, options, Object.keys(rule.defaults));
  return options;
}
