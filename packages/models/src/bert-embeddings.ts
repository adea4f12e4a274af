import { type Dropout, type Embedding, Module } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { ShapeError, type Tensor, tensor, zeros } from '@burin/tensor';
import type { BertInput, BertParts } from './bert-parts.js';
import { drop, dropoutOf } from './drop.js';
import { learnedPositions } from './learned-positions.js';
import { checkInput, type Positions, positionsFrom } from './model-input.js';

/** Word, position and type, added and normed. */
export class BertEmbeddings extends Module {
  readonly wordEmbeddings: Embedding; // [V, C]
  readonly positionEmbeddings: Embedding; // [positions, C]
  readonly tokenTypeEmbeddings: Embedding; // [types, C]
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout | null;
  readonly firstPosition: number;

  constructor({ config, weights, rng }: BertParts) {
    super();
    const { hiddenSize: width, padTokenId } = config;
    this.wordEmbeddings = weights.embedding(config.vocabSize, width, { paddingIndex: padTokenId });
    const padding = config.firstPosition > 0 ? { paddingIndex: config.firstPosition - 1 } : {};
    this.positionEmbeddings = weights.embedding(config.maxPositionEmbeddings, width, padding);
    this.tokenTypeEmbeddings = weights.embedding(config.typeVocabSize, width);
    this.LayerNorm = new LayerNorm(width, { eps: config.layerNormEps });
    this.dropout = dropoutOf(config.hiddenDropoutProb, rng);
    this.firstPosition = config.firstPosition;
  }

  forward(input: BertInput): Tensor {
    const [batch, tokens] = checkInput('BertModel', input);
    const types = input.tokenTypeIds ?? zeros([batch, tokens], { dtype: 'int32', device: input.inputIds.device });
    if (`${types.shape}` !== `${input.inputIds.shape}`) {
      throw new ShapeError(
        `BertModel: tokenTypeIds must be [B, T]: expected [${input.inputIds.shape}], got [${types.shape}]`,
      );
    }
    const words = this.wordEmbeddings.forward(input.inputIds);
    const sum = words
      .add(this.tokenTypeEmbeddings.forward(types))
      .add(learnedPositions('BertModel', this.positionEmbeddings, this.rows(input), this.firstPosition));
    return drop(this.dropout, this.LayerNorm.forward(sum)); // [B, T, C]
  }

  /** The row of the position table that each token takes. */
  private rows(input: BertInput): Positions {
    const { firstPosition: first } = this;
    const { device, shape } = input.inputIds;
    const [batch, tokens] = shape as [number, number];
    if (!first) return input.positions ?? positionsFrom(0, batch, tokens, device);
    if (input.positions) {
      const { ids, max } = input.positions;
      return { ids: ids.to('float32').add(first).to('int32'), max: max + first };
    }
    const { attentionMask } = input;
    return attentionMask ? placesByMask(attentionMask, first) : positionsFrom(first, batch, tokens, device);
  }
}

/** Real tokens count up from `first`, and padding takes the row before it. */
function placesByMask(attentionMask: Tensor, first: number): Positions {
  const tokens = attentionMask.shape[1]!;
  const upTo = Float32Array.from({ length: tokens * tokens }, (_, i) => (Math.floor(i / tokens) <= i % tokens ? 1 : 0));
  const real = attentionMask.to('float32');
  const counts = real.matmul(tensor(upTo, [tokens, tokens], { device: attentionMask.device })).mul(real); // [B, T]
  return { ids: counts.add(first - 1).to('int32'), max: first - 1 + tokens };
}
