import { checkpoint, type Tensor } from '@burin/tensor';
import type { States } from './heads.js';

/** Layers of one kind, and what becomes of their last state. */
export interface LayerStack<L> {
  readonly layers: readonly L[];
  /** After the last layer; null: none. */
  readonly norm: { forward(x: Tensor): Tensor } | null;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  readonly recompute: boolean;
  /** Return the states between layers too; the last of them is normed. */
  readonly outputHiddenStates: boolean | undefined;
}

/**
 * Runs layers, one on what the other made.
 *
 * @param first - `[B, T, C]`, what the first layer reads
 * @param shared - tensors that all layers read and that were made by the caller: recomputation keeps its inputs alone, not
 *   what a scope around it frees, and gives gradients to them alone
 * @param run - one layer, at its place in the list
 */
export function runLayers<L, S extends readonly Tensor[]>(
  { layers, norm, recompute, outputHiddenStates }: LayerStack<L>,
  first: Tensor,
  shared: S,
  run: (layer: L, index: number, x: Tensor, ...shared: S) => Tensor,
): States {
  let states = first;
  const hiddenStates = outputHiddenStates ? [states] : null;
  for (const [i, layer] of layers.entries()) {
    const body = (x: Tensor, ...rest: readonly Tensor[]) => run(layer, i, x, ...(rest as unknown as S));
    states = recompute ? checkpoint(body, states, ...shared) : body(states, ...shared);
    if (i < layers.length - 1) hiddenStates?.push(states);
  }
  states = norm ? norm.forward(states) : states;
  hiddenStates?.push(states);
  return { states, hiddenStates };
}
