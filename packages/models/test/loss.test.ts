import { applyLora } from '@burin/lora';
import { LlamaForCausalLM, type ModelInput, tokenBatch } from '@burin/models';
import { quantizeModel } from '@burin/quant-nf4';
import { cpu, Generator, scope, type Tensor } from '@burin/tensor';
import { expectClose } from '@burin/testing';
import { describe, expect, it, vi } from 'vitest';

const FLOAT32 = { rtol: 2e-5, atol: 1e-7 }; // the same sums in another order, through two layers

function tiny(tieWordEmbeddings: boolean): LlamaForCausalLM {
  const sizes = { vocabSize: 40, hiddenSize: 16, intermediateSize: 24, numHiddenLayers: 2, numAttentionHeads: 2 };
  return LlamaForCausalLM.create({ ...sizes, tieWordEmbeddings }, { rng: new Generator(5) });
}

const batch = () =>
  tokenBatch(
    [
      [1, 5, 9, 3, 7],
      [2, 8, 4],
    ],
    { vocabSize: 40, labels: true },
  );

async function lossAndGradients(model: LlamaForCausalLM, run: (input: ModelInput) => Tensor) {
  model.zeroGrad();
  const loss = scope(() => {
    const loss = run(batch());
    loss.backward();
    return loss.detach();
  });
  const gradients = await Promise.all(model.parameters().map(({ grad }) => grad!.data()));
  return { loss: await loss.item(), gradients };
}

describe.each([true, false])('LlamaForCausalLM.loss, tied %s', (tied) => {
  it.each([null, 11])('is the loss of forward, with its gradients (numItemsInBatch %s)', async (numItemsInBatch) => {
    const model = tiny(tied);
    const whole = await lossAndGradients(model, (input) => model.forward({ ...input, numItemsInBatch }).loss!);
    const blocks = await lossAndGradients(model, (input) => model.loss({ ...input, numItemsInBatch }));
    expectClose([blocks.loss], [whole.loss], FLOAT32);
    for (const [i, gradient] of blocks.gradients.entries()) expectClose(gradient, whole.gradients[i]!, FLOAT32);
  });
});

describe('the loss of a model whose head is', () => {
  async function expectSameLoss(model: LlamaForCausalLM) {
    const whole = await lossAndGradients(model, (input) => model.forward(input).loss!);
    const blocks = await lossAndGradients(model, (input) => model.loss(input));
    expectClose([blocks.loss], [whole.loss], FLOAT32);
    for (const [i, gradient] of blocks.gradients.entries()) expectClose(gradient, whole.gradients[i]!, FLOAT32);
  }

  const trainable = (model: LlamaForCausalLM) =>
    [...model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad).map(([name]) => name);

  it('in 4 bits is made without logits', async () => {
    const model = tiny(false);
    await quantizeModel(model, { targetModules: ['lm_head'] });
    const forward = vi.spyOn(model.lmHead, 'forward');
    scope(() => void model.loss(batch()));
    expect(forward).not.toHaveBeenCalled();
    await expectSameLoss(model);
  });

  it('adapted has the gradients of its adapter', async () => {
    const model = tiny(false);
    applyLora(model, { rank: 2, targetModules: ['lm_head'], rng: new Generator(1) });
    expect(trainable(model)).toHaveLength(2);
    for (const parameter of model.parameters()) parameter.requiresGrad = true;
    await expectSameLoss(model);
  });
});

it('leaves nothing behind, and wants labels', () => {
  const model = tiny(true);
  scope(() => void model.loss(batch())); // builds the rotary tables, which stay
  const before = cpu().memory.liveBytes;
  scope(() => void model.loss(batch()));
  expect(cpu().memory.liveBytes).toBe(before);
  expect(() => scope(() => model.loss({ ...batch(), labels: null }))).toThrow('labels are needed, got none');
});
