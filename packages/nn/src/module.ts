import { keep, Tensor } from '@burin/tensor';
import { Parameter } from './parameter.js';

/** What a module may hold in a field: walked for parameters, buffers and submodules. */
type Field = unknown;

/**
 * A part of a model: a plain class whose fields are its parameters, buffers (other tensors) and submodules, directly or
 * in arrays, Maps and plain objects. They are found by walking the fields; fields named `#private` are not walked.
 *
 * Names are dotted paths. A camelCase field gives a snake_case name, as Hugging Face checkpoints have it
 * (`selfAttn.qProj.weight` is `self_attn.q_proj.weight`); a field that begins with a capital or holds an underscore
 * is taken as it is (`LayerNorm`, `ln_1`).
 */
export abstract class Module {
  /** Training mode: dropout drops, batch statistics are taken. Changed by `train()` and `eval()`. */
  training = true;

  /** Direct children: name and what is there. */
  *children(): Generator<[name: string, module: Module]> {
    for (const [name, value] of fieldsOf(this)) if (value instanceof Module) yield [name, value];
  }

  /** This module and all below it, with their dotted names; this one's is empty. */
  *namedModules(prefix = ''): Generator<[name: string, module: Module]> {
    yield [prefix, this];
    for (const [name, child] of this.children()) yield* child.namedModules(join(prefix, name));
  }

  /** Every parameter once, with its dotted name; a tied one under its first name, unless `duplicates` are wanted. */
  *namedParameters({
    duplicates = false,
  }: {
    duplicates?: boolean;
  } = {}): Generator<[name: string, parameter: Parameter]> {
    const seen = new Set<Parameter>();
    for (const [name, value] of this.namedTensors()) {
      if (!(value instanceof Parameter) || (seen.has(value) && !duplicates)) continue;
      seen.add(value);
      yield [name, value];
    }
  }

  /** Every tensor that is no parameter (running statistics), with its dotted name. */
  *namedBuffers(): Generator<[name: string, buffer: Tensor]> {
    for (const [name, value] of this.namedTensors()) if (!(value instanceof Parameter)) yield [name, value];
  }

  /** Every parameter once. */
  parameters(): Parameter[] {
    return [...this.namedParameters()].map(([, parameter]) => parameter);
  }

  private *namedTensors(): Generator<[name: string, tensor: Tensor]> {
    for (const [prefix, module] of this.namedModules()) {
      for (const [name, value] of fieldsOf(module)) {
        if (value instanceof Tensor) yield [join(prefix, name), value];
      }
    }
  }

  /** The module at a dotted name. @throws RangeError that lists what is there instead */
  getModule(path: string): Module {
    const { parent, name } = this.locate(path);
    if (path === '') return this;
    const found = new Map(parent.children()).get(name);
    if (!found) throw unknownModule(parent, path, name);
    return found;
  }

  /** Puts `module` at a dotted name and returns what was there: how LoRA and 4-bit layers come in and go out. */
  replaceModule(path: string, module: Module): Module {
    const { parent, name } = this.locate(path);
    const before = replaceField(parent, name, module);
    if (!before) throw unknownModule(parent, path, name);
    return before;
  }

  private locate(path: string): { parent: Module; name: string } {
    let parent: Module = this;
    let rest = path;
    for (;;) {
      const children = [...parent.children()];
      const next = children.find(([name]) => rest.startsWith(`${name}.`));
      if (!next) return { parent, name: rest };
      parent = next[1];
      rest = rest.slice(next[0].length + 1);
    }
  }

  /** Sets training mode here and below. Returns this module. */
  train(mode = true): this {
    for (const [, module] of this.namedModules()) module.training = mode;
    return this;
  }

  /** Sets evaluation mode here and below. Returns this module. */
  eval(): this {
    return this.train(false);
  }

  /** Freezes (`false`) or thaws every parameter here and below. Returns this module. */
  requiresGrad_(mode = true): this {
    for (const parameter of this.parameters()) parameter.requiresGrad = mode;
    return this;
  }

  /** Frees the gradient of every parameter. */
  zeroGrad(): void {
    for (const parameter of this.parameters()) parameter.zeroGrad();
  }

  /** Frees the memory of every parameter and buffer. The module cannot be used any more. */
  dispose(): void {
    for (const [, tensor] of this.namedTensors()) {
      tensor.zeroGrad();
      tensor.dispose();
    }
  }
}

/** A buffer that a module keeps: taken out of the scope in which the module is built. */
export function buffer<T extends Tensor>(tensor: T): T {
  return keep(tensor);
}

/** Own fields with their checkpoint names; arrays, Maps and plain objects contribute their items. */
function* fieldsOf(module: Module): Generator<[name: string, value: Field]> {
  for (const [key, value] of Object.entries(module)) yield* itemsOf(snakeCase(key), value);
}

function* itemsOf(name: string, value: Field): Generator<[name: string, value: Field]> {
  if (value instanceof Module || value instanceof Tensor) yield [name, value];
  else for (const [key, item] of entriesOf(value)) yield* itemsOf(`${name}.${key}`, item);
}

function entriesOf(value: Field): Iterable<[key: string | number, value: Field]> {
  if (Array.isArray(value)) return value.entries() as Iterable<[number, Field]>;
  if (value instanceof Map) return value as Map<string, Field>;
  return isPlainObject(value) ? Object.entries(value) : [];
}

function isPlainObject(value: Field): value is Record<string, Field> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Replaces the submodule of `holder` whose checkpoint name is `name`; what was there, or null if nothing was. */
function replaceField(holder: object, name: string, module: Module, prefix = ''): Module | null {
  const entries = prefix === '' ? Object.entries(holder) : entriesOf(holder);
  for (const [key, value] of entries) {
    const own = prefix === '' ? snakeCase(String(key)) : `${prefix}.${key}`;
    if (own === name && value instanceof Module) {
      if (holder instanceof Map) holder.set(key, module);
      else (holder as Record<string | number, Field>)[key] = module;
      return value;
    }
    const inside =
      typeof value === 'object' && value !== null && !(value instanceof Module) && !(value instanceof Tensor);
    const found = inside && name.startsWith(`${own}.`) ? replaceField(value, name, module, own) : null;
    if (found) return found;
  }
  return null;
}

function unknownModule(parent: Module, path: string, name: string): RangeError {
  const names = [...parent.children()].map(([child]) => child).join(', ') || 'none';
  return new RangeError(`no module '${name}' at '${path}': there is ${names}`);
}

function snakeCase(name: string): string {
  if (/^[A-Z]|_/.test(name)) return name;
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}
