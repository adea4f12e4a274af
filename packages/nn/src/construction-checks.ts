import { isTensor } from '@burin/tensor';
import { Parameter } from './parameter.js';

/** @throws TypeError where there are none: PyTorch's layers need no options, these do */
export function checkLayerOptions(who: string, options: object): void {
  if (typeof options === 'object' && options !== null) return;
  throw new TypeError(`${who}: expected options such as { rng: new Generator(42) }, got ${String(options)}`);
}

/**
 * TypeScript cannot tell a tensor from a Parameter. A module would hold it as a buffer, and nobody train it.
 *
 * @throws TypeError for a plain tensor, unless it needs a gradient: somebody else trains that one, or it was computed
 */
export function checkParameter(who: string, value: Parameter | null): void {
  if (value === null || value instanceof Parameter) return;
  if (!isTensor(value)) throw new TypeError(`${who} must be a Parameter, got ${typeof value}`);
  if ((value as Parameter).requiresGrad) return;
  throw new TypeError(`${who} must be a Parameter, got a plain tensor; make one of it: new Parameter(tensor)`);
}
