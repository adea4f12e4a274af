import { type Embedding, Module } from '@burin/nn';
import { scope } from '@burin/tensor';
import type { States } from './heads.js';
import type { DecoderInput, EncoderInput } from './seq2seq-model.js';
import type { T5Config } from './t5-config.js';
import type { T5Parts } from './t5-layers.js';
import { T5Decoder, T5Encoder } from './t5-stacks.js';

/** The words of a T5, as it begins: of size 1. */
export function t5Words({ config: { vocabSize, hiddenSize }, weights }: T5Parts): Embedding {
  return weights.embedding(vocabSize, hiddenSize, { gain: Math.sqrt(hiddenSize) });
}

/** Encoder and decoder over one table of words, without a head. */
export class T5Model extends Module {
  readonly shared: Embedding; // [V, C]
  readonly encoder: T5Encoder;
  readonly decoder: T5Decoder;
  readonly config: T5Config;

  constructor(parts: T5Parts) {
    super();
    this.config = parts.config;
    this.shared = t5Words(parts);
    this.encoder = new T5Encoder(parts, this.shared);
    this.decoder = new T5Decoder(parts, this.shared);
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

/** The encoder over its table of words. */
export class T5EncoderModel extends Module {
  readonly shared: Embedding; // [V, C]
  readonly encoder: T5Encoder;
  readonly config: T5Config;

  constructor(parts: T5Parts) {
    super();
    this.config = parts.config;
    this.shared = t5Words(parts);
    this.encoder = new T5Encoder(parts, this.shared);
  }

  /** `[B, T]` ids -> `[B, T, C]` states. */
  forward(input: EncoderInput): States {
    return scope(() => this.encoder.forward(input));
  }
}
