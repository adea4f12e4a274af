import type { CausalInput, CausalModel, ModelOutput } from '@burin/models';
import { Module } from '@burin/nn';
import { tensor } from '@burin/tensor';

/** A model that says what it is told to, whatever the prompt: to test what is done with its tokens. */
export class ScriptedModel extends Module implements CausalModel {
  readonly config;
  readonly script: readonly number[];
  private readonly promptLength: number;
  /** Forward passes so far. */
  steps = 0;

  constructor(
    script: readonly number[],
    { vocabSize, promptLength = 1 }: { vocabSize: number; promptLength?: number },
  ) {
    super();
    this.script = script;
    this.promptLength = promptLength;
    this.config = { vocabSize, numHiddenLayers: 0, maxPositionEmbeddings: Infinity, eosTokenIds: [] };
  }

  forward({ inputIds, positions }: CausalInput): ModelOutput {
    this.steps++;
    const rows = inputIds.shape[0]!;
    const token = this.script[positions!.max + 1 - this.promptLength]!;
    const logits = new Float32Array(rows * this.config.vocabSize);
    for (let row = 0; row < rows; row++) logits[row * this.config.vocabSize + token] = 1;
    return { logits: tensor(logits, [rows, 1, this.config.vocabSize]), loss: null, hiddenStates: null };
  }
}
