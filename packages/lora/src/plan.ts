import { isLinearLike, type LinearLike, type Module, type Parameter } from '@burin/nn';
import { isOutputHead, taskHeads } from './heads.js';
import { LoraLinear } from './lora-linear.js';
import { isLayerChosen, isPlainName, matchesName, nearNames } from './match.js';
import type { LoraConfig, ModulePattern } from './options.js';
import { SavedModule } from './saved-module.js';
import { hasFloatWeight } from './stored-weight.js';

/** What an adapter takes hold of in a model, by dotted name. Found before anything is changed. */
export interface AdapterPlan {
  /** Layers that get A and B. */
  readonly targets: ReadonlyMap<string, LinearLike>;
  /** Modules that get a trainable copy. */
  readonly saved: ReadonlyMap<string, Module>;
  /** Biases that are trained, by the name that they have once the layers are wrapped. */
  readonly biases: ReadonlyMap<string, Parameter>;
}

/**
 * Finds what the options mean in a model.
 *
 * @param everyNameCounts - a name or pattern that matches nothing is an error; otherwise only if all of them do
 * @throws RangeError that lists what nearly matches
 */
export function planAdapter(who: string, root: Module, config: LoraConfig, everyNameCounts = true): AdapterPlan {
  const modules = new Map(adaptableModules(root));
  const saved = findSaved(who, modules, config, everyNameCounts);
  const inSaved = (name: string) => [...saved.keys()].some((path) => name === path || name.startsWith(`${path}.`));
  const free = new Map([...modules].filter(([name]) => !inSaved(name)));
  const targets = findTargets(who, root, free, config, everyNameCounts);
  return { targets, saved, biases: findBiases(root, targets, inSaved, config) };
}

/** Every module below the root, but for what adapters brought with them. */
export function* adaptableModules(root: Module): Generator<[name: string, module: Module]> {
  let closed = ' '; // no name begins with a space
  for (const [name, module] of root.namedModules()) {
    if (name === '' || name.startsWith(closed)) continue;
    if (module instanceof LoraLinear || module instanceof SavedModule) closed = `${name}.`;
    yield [name, module];
  }
}

function findSaved(
  who: string,
  modules: ReadonlyMap<string, Module>,
  config: LoraConfig,
  everyNameCounts: boolean,
): Map<string, Module> {
  const found = new Map<string, Module>();
  const heads = taskHeads(config.taskType);
  for (const pattern of new Set([...config.modulesToSave, ...heads])) {
    const names = [...modules.keys()].filter((name) => matchesName(pattern, name));
    const mustMatch = everyNameCounts && !heads.includes(pattern);
    if (names.length === 0 && mustMatch) throw noMatch(who, 'modulesToSave', pattern, modules, 'module');
    for (const name of names) found.set(name, modules.get(name)!);
  }
  if (heads.length > 0 && found.size === 0) {
    throw new RangeError(
      `${who}: taskType ${config.taskType} trains a head, and none is called ${heads.join(' or ')}; ` +
        'name it in modulesToSave',
    );
  }
  for (const [name, module] of found) {
    refuseAdapted(who, name, module);
    refuseFrozen(who, name, module);
    refuseContainer(who, name, module);
    for (const other of found.keys()) if (other.startsWith(`${name}.`)) found.delete(other); // it comes with the outer one
  }
  return found;
}

/** A copy of a module would copy the adapters of its layers as well. */
function refuseAdapted(who: string, path: string, module: Module): void {
  if (module instanceof SavedModule) return;
  for (const [, inner] of module.namedModules()) {
    if (!(inner instanceof LoraLinear)) continue;
    throw new RangeError(`${who}: modulesToSave ${path} must hold no layer with an adapter; choose one or the other`);
  }
}

/** A copy of a weight in 4 bits would be frozen as the weight is. */
function refuseFrozen(who: string, path: string, module: Module): void {
  const isPacked = [...module.namedModules()].some(([, inner]) => isLinearLike(inner) && !hasFloatWeight(inner));
  if (module.parameters().length > 0 && !isPacked) return;
  throw new RangeError(
    `${who}: modulesToSave ${path} (${module.constructor.name}) must have parameters to train, ` +
      `got ${isPacked ? 'a weight in 4 bits; leave it out when quantizing' : 'none'}`,
  );
}

/** A model reaches through a module without a forward pass for its parts, and a copy would not be found there. */
function refuseContainer(who: string, path: string, module: Module): void {
  if ('forward' in module) return;
  throw new RangeError(
    `${who}: modulesToSave ${path} must be a module with a forward pass, got ${module.constructor.name}; name its parts instead`,
  );
}

function findTargets(
  who: string,
  root: Module,
  modules: ReadonlyMap<string, Module>,
  config: LoraConfig,
  everyNameCounts: boolean,
): Map<string, LinearLike> {
  const { targetModules, excludeModules } = config;
  const chosen = new Set<string>();
  if (targetModules === 'all-linear') {
    for (const [name, module] of modules)
      if (isLinearLike(module) && !isOutputHead(root, name, module)) chosen.add(name);
  } else {
    for (const pattern of targetModules) {
      const mustMatch = everyNameCounts || targetModules.length === 1;
      for (const name of matchTarget(who, pattern, modules, mustMatch)) chosen.add(name);
    }
  }
  for (const name of chosen) if (!isLayerChosen(config, name)) chosen.delete(name);
  for (const pattern of excludeModules) {
    const names = [...modules.keys()].filter((name) => matchesName(pattern, name));
    if (names.length === 0 && everyNameCounts) throw noMatch(who, 'excludeModules', pattern, modules, 'module');
    for (const name of names) chosen.delete(name);
  }
  if (chosen.size === 0) throw nothingLeft(who, root, config, modules);
  return new Map([...modules].filter(([name]) => chosen.has(name)) as [string, LinearLike][]);
}

/** Names of the Linear layers that one entry of `targetModules` means. */
function matchTarget(
  who: string,
  pattern: ModulePattern,
  modules: ReadonlyMap<string, Module>,
  mustMatch: boolean,
): string[] {
  const names = [...modules.keys()].filter((name) => matchesName(pattern, name));
  const other = names.find((name) => !isLinearLike(modules.get(name)!));
  const layers = names.filter((name) => isLinearLike(modules.get(name)!));
  if (other !== undefined && (isPlainName(pattern) || layers.length === 0)) {
    throw new RangeError(
      `${who}: targetModules ${shown(pattern)} must match Linear layers, got ${other} ` +
        `(${modules.get(other)!.constructor.name}); a trainable copy of any module is made by modulesToSave`,
    );
  }
  if (layers.length === 0 && mustMatch) throw noMatch(who, 'targetModules', pattern, modules, 'Linear');
  return layers;
}

/** Biases that `bias` asks for. Those of wrapped layers are called by the name that they will have. */
function findBiases(
  root: Module,
  targets: ReadonlyMap<string, LinearLike>,
  inSaved: (name: string) => boolean,
  { bias }: LoraConfig,
): Map<string, Parameter> {
  const found = new Map<string, Parameter>();
  if (bias === 'none') return found;
  for (const [name, parameter] of root.namedParameters()) {
    if (!name.endsWith('.bias') || /\.(lora_A|lora_B|modules_to_save)\./.test(name)) continue;
    const holder = name.slice(0, -'.bias'.length);
    if (inSaved(holder)) continue; // the copy has its own
    if (targets.has(holder)) found.set(`${holder}.base_layer.bias`, parameter);
    else if (bias === 'all' || targets.has(holder.replace(/\.base_layer$/, ''))) found.set(name, parameter);
  }
  return found;
}

function noMatch(
  who: string,
  option: string,
  pattern: ModulePattern,
  modules: ReadonlyMap<string, Module>,
  kind: 'module' | 'Linear',
): RangeError {
  const names = [...modules].filter(([, module]) => kind === 'module' || isLinearLike(module)).map(([name]) => name);
  const wanted = pattern instanceof RegExp ? pattern.source : pattern;
  const near = nearNames(wanted, names);
  return new RangeError(
    `${who}: ${option} ${shown(pattern)} matches no ${kind} of this model: ` +
      (near.length === 0 ? `it has none` : `near names are ${near.join(', ')} (${names.length} in all)`),
  );
}

function nothingLeft(who: string, root: Module, config: LoraConfig, modules: ReadonlyMap<string, Module>): RangeError {
  const layers = [...modules].filter(([, module]) => isLinearLike(module)).map(([name]) => name);
  if (layers.length === 0) {
    const got = isLinearLike(root) ? `a ${root.constructor.name} itself; make it a field of a module` : 'none';
    return new RangeError(
      `${who}: the model must hold a Linear for the adapter: expected one among its parts, got ${got}`,
    );
  }
  if (config.targetModules === 'all-linear' && layers.every((name) => isOutputHead(root, name, modules.get(name)!))) {
    return new RangeError(
      `${who}: targetModules 'all-linear' leaves output heads out, and this model has no other Linear: ` +
        `got ${layers.join(', ')}; name it in targetModules`,
    );
  }
  const layerRule = config.layersToTransform ? `layersToTransform [${config.layersToTransform}] and ` : '';
  return new RangeError(
    `${who}: ${layerRule}excludeModules must leave a Linear for the adapter, and none is left: ` +
      `this model's are ${layers.slice(0, 5).join(', ')}${layers.length > 5 ? `, ... (${layers.length} in all)` : ''}`,
  );
}

function shown(pattern: ModulePattern): string {
  return pattern instanceof RegExp ? String(pattern) : `'${pattern}'`;
}
