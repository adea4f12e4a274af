import type { KeyValueCache } from '@burin/attention';
import { scope, type Tensor } from '@burin/tensor';
import type { States } from './heads.js';
import { runLayers } from './layer-stack.js';
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
    const stack = { layers, norm, recompute, outputHiddenStates: input.outputHiddenStates };
    // positions may be of this scope
    return runLayers(stack, embed(input.inputIds, positions), [positions.ids], (layer, i, x, ids) =>
      layer.forward(x, {
        ...{ attentionMask, segments, cache: input.cache?.[i] ?? null },
        positions: { ids, max: positions.max },
      }),
    );
  });
}
