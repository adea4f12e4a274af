import { type Dropout, type Embedding, Module } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { ShapeError, type Tensor, zeros } from '@burin/tensor';
import type { BertInput, BertParts } from './bert-parts.js';
import { drop, dropoutOf } from './drop.js';
import { checkInput, positionsFrom } from './model-input.js';

/** Word, position and type, added and normed. */
export class BertEmbeddings extends Module {
  readonly wordEmbeddings: Embedding; // [V, C]
  readonly positionEmbeddings: Embedding; // [positions, C]
  readonly tokenTypeEmbeddings: Embedding; // [types, C]
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout | null;

  constructor({ config, weights, rng }: BertParts) {
    super();
    const { hiddenSize: width, padTokenId } = config;
    this.wordEmbeddings = weights.embedding(config.vocabSize, width, { paddingIndex: padTokenId });
    this.positionEmbeddings = weights.embedding(config.maxPositionEmbeddings, width);
    this.tokenTypeEmbeddings = weights.embedding(config.typeVocabSize, width);
    this.LayerNorm = new LayerNorm(width, { eps: config.layerNormEps });
    this.dropout = dropoutOf(config.hiddenDropoutProb, rng);
  }

  forward(input: BertInput): Tensor {
    const [batch, tokens] = checkInput('BertModel', input);
    const positions = input.positions ?? positionsFrom(0, batch, tokens, input.inputIds.device);
    const limit = this.positionEmbeddings.weight.shape[0]!;
    if (positions.max >= limit) {
      throw new RangeError(
        `BertModel: texts have at most ${limit} tokens, got position ${positions.max}; truncate them`,
      );
    }
    const types = input.tokenTypeIds ?? zeros([batch, tokens], { dtype: 'int32', device: input.inputIds.device });
    if (`${types.shape}` !== `${input.inputIds.shape}`) {
      throw new ShapeError(
        `BertModel: tokenTypeIds must be [B, T]: expected [${input.inputIds.shape}], got [${types.shape}]`,
      );
    }
    const words = this.wordEmbeddings.forward(input.inputIds);
    const sum = words.add(this.tokenTypeEmbeddings.forward(types)).add(this.positionEmbeddings.forward(positions.ids));
    return drop(this.dropout, this.LayerNorm.forward(sum)); // [B, T, C]
  }
}
