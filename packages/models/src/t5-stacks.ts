import { type Dropout, type Embedding, Module } from '@burin/nn';
import { RmsNorm } from '@burin/norm';
import { scope, type Tensor } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import type { States } from './heads.js';
import { runLayers } from './layer-stack.js';
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
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;
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

  /** Embeds, runs the blocks, norms; hidden states are those between. `shared` is what all blocks read. */
  protected run<S extends readonly Tensor[]>(
    input: EncoderInput,
    shared: S,
    block: (block: B, index: number, x: Tensor, ...shared: S) => Tensor,
  ): States {
    const embedded = drop(this.dropout, this.embedTokens.forward(input.inputIds)); // [B, T, C]
    const stack = {
      layers: this.block,
      norm: { forward: (x: Tensor) => drop(this.dropout, this.finalLayerNorm.forward(x)) },
      recompute: this.gradientCheckpointing && this.training,
      outputHiddenStates: input.outputHiddenStates,
    };
    return runLayers(stack, embedded, shared, block);
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
      return this.run(input, [bias], (block, _, x, bias) => block.forward(x, bias, input.attentionMask ?? null));
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
      return this.run(input, [bias, input.memory], (block, i, x, bias, memory) =>
        block.forward(x, bias, i, { ...input, memory }),
      );
    });
  }
}
