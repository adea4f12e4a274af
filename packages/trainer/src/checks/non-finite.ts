import { countNonFinite, type Device, isFloating, isTensor, keep, noGrad, scope, type Tensor } from '@burin/tensor';
import { accumulateGradients } from '../accumulate.js';
import type { Window } from '../data/windows.js';
import { forward, type TrainableModel, trainableParameters } from '../model.js';

/** Runs a body whose modules' outputs are watched. */
interface Watched {
  readonly name: string;
  readonly count: Tensor; // of elements that are not finite
}

/**
 * Runs the window's batches again and finds the first module whose output is not finite: modules are taken in the order in
 * which they finish, so that a layer comes before the block that holds it.
 *
 * @returns its dotted name ('' is the model itself), or null if all outputs are finite
 */
export async function findNonFiniteModule(
  model: TrainableModel,
  window: Window,
  device: Device,
  labelSmoothing: number,
): Promise<string | null> {
  for (const { batch, trained } of window.batches) {
    if (trained === 0) continue;
    const watched: Watched[] = [];
    const restore = watchOutputs(model, watched);
    try {
      scope(() => noGrad(() => void forward(model, batch, device, labelSmoothing)));
    } finally {
      restore();
    }
    const found = await firstNonZero(watched);
    if (found !== null) return found;
  }
  return null;
}

/** Puts a watching function in the place of each module's `forward`; returns what takes them off again. */
function watchOutputs(model: TrainableModel, watched: Watched[]): () => void {
  const changed: { forward?: unknown }[] = [];
  for (const [name, module] of model.namedModules()) {
    const target = module as { forward?: unknown };
    if (typeof target.forward !== 'function' || Object.hasOwn(target, 'forward')) continue;
    const original = target.forward;
    target.forward = (...inputs: unknown[]) => {
      const output: unknown = original.apply(module, inputs);
      for (const tensor of tensorsOf(output)) watched.push({ name, count: scope(() => keep(countNonFinite(tensor))) });
      return output;
    };
    changed.push(target);
  }
  return () => {
    for (const target of changed) delete target.forward;
  };
}

function tensorsOf(output: unknown): Tensor[] {
  if (typeof output !== 'object' || output === null) return [];
  const values = isTensor(output) ? [output] : Object.values(output).filter(isTensor);
  return values.filter(({ dtype }) => isFloating(dtype));
}

async function firstNonZero(watched: readonly Watched[]): Promise<string | null> {
  let found: string | null = null;
  for (const { name, count } of watched) {
    if (found === null && (await count.item()) > 0) found = name;
    count.dispose();
  }
  return found;
}

/** Names of parameters whose values are not finite. */
export async function nonFiniteParameters(model: TrainableModel): Promise<string[]> {
  const floating = [...model.namedParameters()].filter(([, { dtype }]) => isFloating(dtype));
  return namesOfNonFinite(floating);
}

/** Computes the window's gradients again, unclipped; names of the parameters whose gradient is not finite. */
export async function nonFiniteGradients(
  model: TrainableModel,
  window: Window,
  device: Device,
  labelSmoothing: number,
): Promise<string[]> {
  model.zeroGrad();
  for (const share of accumulateGradients(model, window, device, labelSmoothing)) share.dispose();
  const gradients = trainableParameters(model).flatMap(([name, { grad }]) => (grad ? [[name, grad] as const] : []));
  const names = await namesOfNonFinite(gradients);
  model.zeroGrad();
  return names;
}

async function namesOfNonFinite(tensors: readonly (readonly [name: string, tensor: Tensor])[]): Promise<string[]> {
  const names: string[] = [];
  for (const [name, tensor] of tensors) {
    const [count] = scope(() => [countNonFinite(tensor).item()]);
    if ((await count!) > 0) names.push(name);
  }
  return names;
}
