import { AdamW } from '@burin/optim-paged';
import { backward, tensor } from '@burin/tensor';
import type { Case, Prepared } from '../case.js';
import { llama, type Method, prepareMethod, SMALL, tokens, VOCABULARY } from './llama.js';

const BATCH = 8;
const TOKENS = 128;

/** Forward, backward, AdamW and the loss read back: one step on a batch of 8 x 128 tokens. */
function trainStep(method: Method): Case {
  return {
    name: `train-step/${method}`,
    shape: `${BATCH}x${TOKENS}`,
    work: { tokens: BATCH * TOKENS },
    async prepare(): Promise<Prepared> {
      const model = llama(SMALL);
      await prepareMethod(model, method);
      const parameters = model.parameters().filter(({ requiresGrad }) => requiresGrad);
      const optimizer = new AdamW(parameters, { lr: 1e-3 });
      const inputIds = tensor(tokens(BATCH * TOKENS), [BATCH, TOKENS]);
      const step = async () => {
        const loss = model.loss({ inputIds, labels: inputIds });
        backward(loss);
        await optimizer.step();
        optimizer.zeroGrad();
        const value = await loss.item();
        loss.dispose();
        return value;
      };
      return {
        run: step,
        check: () => checkLoss(step),
        dispose() {
          optimizer.dispose();
          inputIds.dispose();
          model.dispose();
        },
      };
    },
  };
}

/** A new model knows nothing: its loss is that of a guess among all tokens. Then it learns. */
async function checkLoss(step: () => Promise<number>): Promise<void> {
  const [guess, first] = [Math.log(VOCABULARY), await step()];
  if (!(Math.abs(first - guess) < 0.5)) throw new Error(`the first loss must be about ${guess}, got ${first}`);
  await step();
  await step();
  const later = await step();
  if (!(later < first)) throw new Error(`the loss must fall, got ${first} and three steps later ${later}`);
}

export const trainStepCases: readonly Case[] = [trainStep('full'), trainStep('lora'), trainStep('qlora')];
