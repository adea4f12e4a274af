import { type Dropout, type Embedding, Module } from '@burin/nn';
import { RmsNorm } from '@burin/norm';
import { scope, type Tensor } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import type { States } from './heads.js';
import { checkInput } from './model-input.js';
import { relativeBias } from './relative-position-bias.js';
import type { DecoderInput, EncoderInput } from './seq2seq-model.js';
import type { T5Config } from './t5-config.js';
import { T5CrossAttentionLayer, T5FeedForwardLayer, type T5Parts, T5SelfAttentionLayer } from './t5-layers.js';

class T5EncoderBlock extends Module {
  readonly layer: readonly [T5SelfAttentionLayer, T5FeedForwardLayer];

  constructor(parts: T5Parts, index: number) {
    super();
    this.layer = [new T5SelfAttentionLayer(parts, { relative: index === 0 }), new T5FeedForwardLayer(parts)];
  }

  forward(x: Tensor, bias: Tensor, attentionMask: Tensor | null): Tensor {
    const [attention, feedForward] = this.layer;
    return scope(() => feedForward.forward(attention.forward(x, { bias, attentionMask })));
  }
}

class T5DecoderBlock extends Module {
  readonly layer: readonly [T5SelfAttentionLayer, T5CrossAttentionLayer, T5FeedForwardLayer];

  constructor(parts: T5Parts, index: number) {
    super();
    this.layer = [
      new T5SelfAttentionLayer(parts, { relative: index === 0 }),
      new T5CrossAttentionLayer(parts),
      new T5FeedForwardLayer(parts),
    ];
  }

  forward(x: Tensor, bias: Tensor, index: number, input: DecoderInput): Tensor {
    const { attentionMask = null, memory, memoryMask = null } = input;
    const [self, cross, feedForward] = this.layer;
    return scope(() => {
      const cache = input.cache?.[index] ?? null;
      const attended = self.forward(x, { bias, attentionMask, cache, causal: true });
      const memoryCache = input.memoryCache?.[index] ?? null;
      return feedForward.forward(cross.forward(attended, memory, { attentionMask: memoryMask, cache: memoryCache }));
    });
  }
}

/** What both stacks share: embeddings, the table of distances, the last norm. */
abstract class T5Stack<B extends { layer: readonly [T5SelfAttentionLayer, ...Module[]] } & Module> extends Module {
  readonly embedTokens: Embedding; // [V, C], shared by both stacks
  readonly block: B[];
  readonly finalLayerNorm: RmsNorm;
  readonly dropout: Dropout | null;
  readonly #config: T5Config;

  constructor({ config, rng }: T5Parts, embedTokens: Embedding, block: B[]) {
    super();
    this.embedTokens = embedTokens;
    this.block = block;
    this.finalLayerNorm = new RmsNorm(config.hiddenSize, { eps: config.layerNormEpsilon });
    this.dropout = dropoutOf(config.dropoutRate, rng);
    this.#config = config;
  }

  /** The biases of distances, which all layers of the stack share. */
  protected biases(queries: number, offset: number, bidirectional: boolean): Tensor {
    const { relativeAttentionNumBuckets: buckets, relativeAttentionMaxDistance: maxDistance } = this.#config;
    const table = this.block[0]!.layer[0].SelfAttention.relativeAttentionBias!;
    return relativeBias(table, { bidirectional, buckets, maxDistance }, { queries, keys: offset + queries, offset });
  }

  /** Embeds, runs the blocks, norms; hidden states are those between. */
  protected run(input: EncoderInput, block: (x: Tensor, index: number) => Tensor): States {
    let states = drop(this.dropout, this.embedTokens.forward(input.inputIds)); // [B, T, C]
    const hiddenStates = input.outputHiddenStates ? [states] : null;
    for (let i = 0; i < this.block.length; i++) {
      states = block(states, i);
      if (i < this.block.length - 1) hiddenStates?.push(states);
    }
    states = drop(this.dropout, this.finalLayerNorm.forward(states));
    hiddenStates?.push(states);
    return { states, hiddenStates };
  }
}

/** The encoder: `[B, S]` ids -> `[B, S, C]` states. */
export class T5Encoder extends T5Stack<T5EncoderBlock> {
  constructor(parts: T5Parts, embedTokens: Embedding) {
    const { numEncoderLayers: length } = parts.config;
    super(
      parts,
      embedTokens,
      Array.from({ length }, (_, i) => new T5EncoderBlock(parts, i)),
    );
  }

  forward(input: EncoderInput): States {
    return scope(() => {
      const [, tokens] = checkInput('T5Encoder', input);
      const bias = this.biases(tokens, 0, true);
      return this.run(input, (x, i) => this.block[i]!.forward(x, bias, input.attentionMask ?? null));
    });
  }
}

/** The decoder: `[B, T]` ids and the encoder's states -> `[B, T, C]` states. */
export class T5Decoder extends T5Stack<T5DecoderBlock> {
  constructor(parts: T5Parts, embedTokens: Embedding) {
    const { numHiddenLayers: length } = parts.config;
    super(
      parts,
      embedTokens,
      Array.from({ length }, (_, i) => new T5DecoderBlock(parts, i)),
    );
  }

  forward(input: DecoderInput): States {
    return scope(() => {
      const [, tokens] = checkInput('T5Decoder', input);
      const bias = this.biases(tokens, input.cache?.[0]?.length ?? 0, false);
      return this.run(input, (x, i) => this.block[i]!.forward(x, bias, i, input));
    });
  }
}
