import { keep, Tensor } from '@burin/tensor';
import { fieldsOf, replaceField } from './fields.js';
import { Parameter } from './parameter.js';

/**
 * A part of a model: a plain class whose fields are its parameters, buffers (other tensors) and submodules, directly or
 * in arrays, Maps and plain objects. They are found by walking the fields; fields named `#private` are not walked.
 *
 * Names are dotted paths. A camelCase field gives a snake_case name, as Hugging Face checkpoints have it
 * (`selfAttn.qProj.weight` is `self_attn.q_proj.weight`); a field that begins with a capital or holds an underscore
 * is taken as it is (`LayerNorm`, `ln_1`).
 *
 * A part may stand in several places, but not inside itself: keep a reference upwards in a `#private` field.
 *
 * @example
 * class Head extends Module {
 *   readonly norm = new RmsNorm(64);
 *   readonly outProj: Linear; // [64] -> [2]
 *   ...
 * }
 * [...head.namedParameters()].map(([name]) => name); // ['norm.weight', 'out_proj.weight', 'out_proj.bias']
 */
export abstract class Module {
  /** Training mode: dropout drops, batch statistics are taken. Changed by `train()` and `eval()`. */
  training = true;

  /** Why `loadStateDict` must not copy into this module's own tensors, or null: they mean nothing without what is no tensor. */
  get loadRefusal(): string | null {
    return null;
  }

  /** Direct children: name and what is there. */
  *children(): Generator<[name: string, module: Module]> {
    for (const [name, value] of fieldsOf(this)) if (value instanceof Module) yield [name, value];
  }

  /**
   * This module and all below it, with their dotted names; this one's is `prefix`, empty by default. One that stands in
   * several places comes under each of its names.
   */
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
    for (const [name, value] of this.namedTensors(duplicates)) if (value instanceof Parameter) yield [name, value];
  }

  /**
   * Every tensor that is no parameter (running statistics) once, with its dotted name; one that stands in several places
   * under its first name, unless `duplicates` are wanted.
   */
  *namedBuffers({ duplicates = false }: { duplicates?: boolean } = {}): Generator<[name: string, buffer: Tensor]> {
    for (const [name, value] of this.namedTensors(duplicates)) if (!(value instanceof Parameter)) yield [name, value];
  }

  /** Every parameter once. */
  parameters(): Parameter[] {
    return [...this.namedParameters()].map(([, parameter]) => parameter);
  }

  private *namedTensors(duplicates: boolean): Generator<[name: string, tensor: Tensor]> {
    const seen = new Set<Tensor>();
    for (const [prefix, module] of this.namedModules()) {
      for (const [name, value] of fieldsOf(module)) {
        if (!(value instanceof Tensor) || (seen.has(value) && !duplicates)) continue;
        seen.add(value);
        yield [join(prefix, name), value];
      }
    }
  }

  /**
   * The module at a dotted name; the empty name is this one.
   *
   * @throws RangeError that lists what is there instead
   * @example
   * model.getModule('model.layers.0.self_attn.q_proj');
   */
  getModule(path: string): Module {
    return path === '' ? this : this.locate(path, 'getModule').module;
  }

  /**
   * Puts `module` at a dotted name and returns what was there: how LoRA and 4-bit layers come in and go out. What was
   * there is not freed.
   *
   * @throws RangeError that lists what is there, if no module has the name; TypeError if `module` is none
   */
  replaceModule(path: string, module: Module): Module {
    if (!(module instanceof Module)) {
      throw new TypeError(`replaceModule: '${path}': a Module is expected, got ${typeof module}`);
    }
    const { parent, name, module: before } = this.locate(path, 'replaceModule');
    replaceField(parent, name, module);
    return before;
  }

  private locate(path: string, who: string): { parent: Module; name: string; module: Module } {
    let parent: Module = this;
    let name = path;
    for (;;) {
      const children = [...parent.children()];
      const here = children.find(([child]) => child === name);
      if (here) return { parent, name, module: here[1] };
      const next = children.find(([child]) => name.startsWith(`${child}.`));
      if (!next) throw unknownModule(who, path, name, children);
      parent = next[1];
      name = name.slice(next[0].length + 1);
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

  /**
   * Frees every parameter, its gradient and every buffer, here and in each part, also those shared with other modules. A
   * second call does nothing. A part that holds tensors in `#private` fields frees them in a `dispose` of its own.
   */
  dispose(): void {
    for (const [, child] of this.children()) child.dispose();
    for (const [, value] of fieldsOf(this)) {
      if (!(value instanceof Tensor)) continue;
      value.zeroGrad();
      value.dispose();
    }
  }
}

/**
 * A buffer that a module keeps: takes it out of the scope in which the module is built, so that it lives until the
 * module is disposed of. Returns it.
 */
export function buffer<T extends Tensor>(tensor: T): T {
  return keep(tensor);
}

function unknownModule(who: string, path: string, name: string, children: readonly [string, Module][]): RangeError {
  const inside = path.length > name.length ? `'${path.slice(0, -name.length - 1)}'` : 'the module';
  const names = children.map(([child]) => child).slice(0, 16);
  return new RangeError(
    `${who}: '${path}' must name a module: expected one of ${names.join(', ') || 'none'} in ${inside}, got '${name}'`,
  );
}

function join(prefix: string, name: string): string {
  return prefix === '' ? name : `${prefix}.${name}`;
}
