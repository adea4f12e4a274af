import { buffer, Module, Parameter } from '@burin/nn';
import { scope, Tensor } from '@burin/tensor';

/**
 * A module of the same class with copies of all parameters, buffers and submodules. A tensor that occurs twice is copied
 * once. Fields named `#private` cannot be copied: the copy has none.
 */
export function cloneModule<M extends Module>(module: M): M {
  return cloneValue(module, new Map()) as M;
}

function cloneValue(value: unknown, done: Map<unknown, unknown>): unknown {
  if (done.has(value)) return done.get(value);
  if (value instanceof Parameter) {
    return remember(done, value, new Parameter(copyOf(value), { requiresGrad: value.requiresGrad }));
  }
  if (value instanceof Tensor) return remember(done, value, buffer(copyOf(value)));
  if (Array.isArray(value)) return value.map((item) => cloneValue(item, done));
  if (value instanceof Map) return new Map([...value].map(([key, item]) => [key, cloneValue(item, done)]));
  if (value instanceof Module || isPlainObject(value)) return cloneFields(value, done);
  return value;
}

function copyOf(tensor: Tensor): Tensor {
  return scope(() => tensor.detach().clone());
}

function cloneFields(value: object, done: Map<unknown, unknown>): object {
  const copy = remember(done, value, Object.create(Object.getPrototypeOf(value)) as Record<string, unknown>);
  for (const [key, field] of Object.entries(value)) copy[key] = cloneValue(field, done);
  return copy;
}

function remember<T>(done: Map<unknown, unknown>, value: unknown, copy: T): T {
  done.set(value, copy);
  return copy;
}

function isPlainObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
