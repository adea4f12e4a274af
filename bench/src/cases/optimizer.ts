import { Parameter } from '@burin/nn';
import { AdamW } from '@burin/optim-paged';
import { full, noGrad, type Tensor } from '@burin/tensor';
import type { Case } from '../case.js';
import { expectSamples, inputs } from './inputs.js';

const SIZE = 2 ** 22;

/** AdamW over 4 M parameters: four arrays read, three written. */
function adamw(tensors: number): Case {
  return {
    name: 'optimizer/adamw',
    shape: `${tensors}x${SIZE / tensors}`,
    work: { bytes: 4 * 7 * SIZE },
    prepare() {
      const values = Array.from({ length: tensors }, () => inputs([SIZE / tensors])[0]!);
      const parameters = values.map((tensor) => new Parameter(tensor));
      const optimizer = new AdamW(parameters, { lr: 1e-4 });
      for (const parameter of parameters) parameter.grad = full(parameter.shape, 0.01);
      return {
        run: () => optimizer.step(),
        check: () => checkFirstStep(parameters[0]!, optimizer),
        dispose() {
          optimizer.dispose();
          for (const parameter of parameters) {
            parameter.zeroGrad();
            parameter.dispose();
          }
        },
      };
    },
  };
}

/** The first step moves each parameter by the learning rate, whatever the gradient's size, after the decay. */
async function checkFirstStep(parameter: Tensor, optimizer: AdamW): Promise<void> {
  const before = await parameter.data();
  await optimizer.step();
  await expectSamples(
    noGrad(() => parameter.clone()),
    (i) => before[i]! * (1 - 1e-6) - 1e-4,
    1e-6,
  );
}

export const optimizerCases: readonly Case[] = [adamw(1), adamw(64)];
