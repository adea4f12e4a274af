import { applyLora } from '@burin/lora';
import { LlamaForCausalLM, tokenBatch } from '@burin/models';
import { AdamW } from '@burin/optim-paged';
import { quantizeModel } from '@burin/quant-nf4';
import { type DeviceLike, Generator, setDefaultDevice } from '@burin/tensor';
import { devices, expectClose } from '@burin/testing';
import { expect, it } from 'vitest';

const SIZES = {
  ...{ vocabSize: 37, hiddenSize: 24, intermediateSize: 20, numHiddenLayers: 2, numAttentionHeads: 4 },
  ...{ numKeyValueHeads: 2, maxPositionEmbeddings: 64, initializerRange: 0.3 },
};
const ROWS = [
  [6, 5, 9, 2, 30, 1, 7],
  [4, 8, 3, 11],
];
const STEPS = 8;

/** Steps of AdamW add up what the devices round otherwise. */
const CURVE = { rtol: 2e-4, atol: 1e-5 };

/** What a model is changed to before it trains. */
type Prepare = (model: LlamaForCausalLM) => Promise<void>;

/** Losses of a few steps on one batch. */
async function train(device: DeviceLike, prepare: Prepare): Promise<number[]> {
  setDefaultDevice(device);
  const model = LlamaForCausalLM.create(SIZES, { rng: new Generator(1) });
  await prepare(model);
  const optimizer = new AdamW(
    [...model.namedParameters()].filter(([, parameter]) => parameter.requiresGrad),
    { lr: 1e-2 },
  );
  const batch = tokenBatch(ROWS, { vocabSize: SIZES.vocabSize, labels: true });
  const losses: number[] = [];
  for (let step = 0; step < STEPS; step++) {
    const { loss } = model.forward(batch);
    losses.push(await loss!.item());
    loss!.backward();
    await optimizer.step();
    optimizer.zeroGrad();
  }
  return losses;
}

const WAYS: Record<string, Prepare> = {
  'every weight': async () => {},
  'LoRA over NF4': async (model) => {
    await quantizeModel(model, { doubleQuant: true });
    applyLora(model, { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj'], rng: new Generator(2) });
  },
};

it.each(Object.entries(WAYS))('trains %s as the CPU does', async (_, prepare) => {
  expect(devices).toContain('gpu');
  const expected = await train('cpu', prepare);
  const losses = await train('gpu', prepare);
  expect(losses.at(-1)).toBeLessThan(0.9 * losses[0]!);
  expectClose(losses, expected, CURVE);
});
