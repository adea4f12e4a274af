import type { KeyValueCache } from '@burin/attention';
import { checkpoint, scope, type Tensor } from '@burin/tensor';
import type { States } from './heads.js';
import { checkInput, type ModelInput, type Positions, positionsFrom } from './model-input.js';

/** What a layer of a decoder is given besides its states. */
export interface LayerInput {
  attentionMask: Tensor | null;
  segments: Tensor | null;
  positions: Positions;
  cache: KeyValueCache | null;
}

/** A decoder's parts, in the order in which they run. */
export interface DecoderParts {
  /** Names the model in messages. */
  who: string;
  /** `[B, T, C]` of ids and positions. */
  embed(inputIds: Tensor, positions: Positions): Tensor;
  layers: readonly { forward(x: Tensor, input: LayerInput): Tensor }[];
  norm: { forward(x: Tensor): Tensor };
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  recompute: boolean;
}

/**
 * Runs a decoder: embeddings, layers, final norm. Hidden states are those between, the last after the norm.
 *
 * @throws ShapeError or DtypeError if a tensor does not fit `inputIds`
 */
export function decoderStates({ who, embed, layers, norm, recompute }: DecoderParts, input: ModelInput): States {
  return scope(() => {
    const [batch, tokens] = checkInput(who, input);
    const past = input.cache?.[0]?.length ?? 0;
    const positions = input.positions ?? positionsFrom(past, batch, tokens, input.inputIds.device);
    const { attentionMask = null, segments = null } = input;
    let states = embed(input.inputIds, positions); // [B, T, C]
    const hiddenStates = input.outputHiddenStates ? [states] : null;
    for (const [i, layer] of layers.entries()) {
      const rest = { attentionMask, segments, cache: input.cache?.[i] ?? null };
      const run = (x: Tensor, ids: Tensor) => layer.forward(x, { ...rest, positions: { ids, max: positions.max } });
      // positions may be of this scope: recomputation keeps its inputs alone
      states = recompute ? checkpoint(run, states, positions.ids) : run(states, positions.ids);
      if (i < layers.length - 1) hiddenStates?.push(states);
    }
    states = norm.forward(states);
    hiddenStates?.push(states);
    return { states, hiddenStates };
  });
}
