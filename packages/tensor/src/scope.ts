import type { Tensor } from './tensor.js';

/** The tensors made while a `scope` runs; they are freed when it ends, unless kept or returned. */
export class Scope {
  readonly tensors: Tensor[] = [];
}

let current: Scope | null = null;

/** The scope that new tensors belong to; null outside every scope, where they live until `dispose()`. */
export function currentScope(): Scope | null {
  return current;
}

/**
 * Runs `body` and frees every tensor made in it, but for those it returns (a tensor, or an array, Map or plain object
 * that holds some, at any depth), those given to `keep`, gradients of leaves and parameters. What a
 * pending backward pass needs stays until that pass has run.
 *
 * @throws TypeError if `body` is async: tensors of two running bodies could not be told apart. Do the work in the scope
 *   and `await` what it returns.
 * @example
 * const y = scope(() => x.mul(2).add(1)); // the product is freed, the sum is not
 */
export function scope<T>(body: () => T): T {
  const outer = current;
  const scope = new Scope();
  current = scope;
  let result: T;
  try {
    result = body();
    if (isPromise(result)) {
      throw new TypeError('scope: the body must not be async; return tensors from it and await their data outside');
    }
    moveTo(outer, scope, result);
  } finally {
    current = outer;
    for (const tensor of scope.tensors) if (tensor.scope === scope) tensor.dispose();
  }
  return result;
}

/** Takes a tensor out of the scope it was made in: it lives until `dispose()`. Returns it. */
export function keep<T extends Tensor>(tensor: T): T {
  tensor.scope = null;
  return tensor;
}

function isPromise(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

function moveTo(outer: Scope | null, from: Scope, value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  if ('storage' in value && 'scope' in value) {
    const tensor = value as Tensor;
    if (tensor.scope !== from) return;
    tensor.scope = outer;
    outer?.tensors.push(tensor);
  } else if (Array.isArray(value) || value instanceof Map) {
    for (const item of value.values()) moveTo(outer, from, item);
  } else if (Object.getPrototypeOf(value) === Object.prototype) {
    for (const item of Object.values(value)) moveTo(outer, from, item);
  }
}
