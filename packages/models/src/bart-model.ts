import { type Embedding, Module } from '@burin/nn';
import type { BartConfig } from './bart-config.js';
import type { BartParts } from './bart-layers.js';
import { BartDecoder, BartEncoder } from './bart-stacks.js';
import type { States } from './heads.js';
import type { DecoderInput, EncoderInput } from './seq2seq-model.js';

/** Encoder and decoder over one table of words, without a head. */
export class BartModel extends Module {
  readonly shared: Embedding; // [V, C]
  readonly encoder: BartEncoder;
  readonly decoder: BartDecoder;
  readonly config: BartConfig;

  constructor(parts: BartParts) {
    super();
    this.config = parts.config;
    const { vocabSize, hiddenSize, padTokenId } = parts.config;
    this.shared = parts.weights.embedding(vocabSize, hiddenSize, { paddingIndex: padTokenId });
    this.encoder = new BartEncoder(parts, this.shared);
    this.decoder = new BartDecoder(parts, this.shared);
  }

  /** The encoder's states, `[B, S, C]`. */
  encode(input: EncoderInput): States {
    return this.encoder.forward(input);
  }

  /** The decoder's states, `[B, T, C]`. */
  decoderStates(input: DecoderInput): States {
    return this.decoder.forward(input);
  }
}
