import { Conv1D, Linear, type LinearLike, Parameter } from '@burin/nn';
import { dequantizeModel, Linear4bit, quantizeModel } from '@burin/quant-nf4';
import { cpu, Generator, noGrad, rand, scope } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { applyLora, LoraLinear, trainableParameters } from '../src/index.js';
import { input, OneLinear, train } from './layers.js';
import { TinyModel } from './tiny-model.js';

const rng = new Generator(0);
const SAME = { rtol: 1e-4, atol: 1e-4 }; // the same sums in another order, through two layers of width 48

async function build() {
  const model = new TinyModel({ bias: true });
  const total = trainableParameters(model).total;
  await quantizeModel(model, { doubleQuant: true });
  const lora = applyLora(model, { rank: 4, rng });
  train(lora);
  return { model, lora, total, x: input([3, 48]) };
}

describe('LoRA over a 4-bit base', () => {
  it('wraps the 4-bit layers, and counts their weights as what they stand for', async () => {
    const { model, lora, total } = await build();
    const layer = [...lora.layers()][0]![1];
    expect(layer.baseLayer).toBeInstanceOf(Linear4bit);
    const { total: all, trainable } = trainableParameters(model);
    expect(all).toBe(total + trainable);
  });

  it('equals LoRA over a float base that holds the dequantized weights, forward and backward', async () => {
    const { model, lora, x } = await build();
    x.requiresGrad = true;
    const gradients = async () => {
      const y = model.forward(x);
      y.sum().backward();
      const parameters = [...lora.adapterParameters('default').values()];
      const all = await Promise.all(
        [y, x.grad!, ...parameters.map(({ grad }) => grad!)].map((tensor) => tensor.data()),
      );
      for (const parameter of [x, ...parameters]) parameter.zeroGrad();
      return all.flatMap((values) => [...values]);
    };
    const packed = await gradients();
    await dequantizeModel(model);
    expect([...lora.layers()][0]![1].baseLayer).toBeInstanceOf(Linear);
    expectClose(await gradients(), packed, SAME);
  });

  it('has no copy of a layer whose weight could not be trained', async () => {
    const model = new TinyModel({ bias: true });
    await quantizeModel(model, { targetModules: 'lm_head' });
    expect(() => applyLora(model, { modulesToSave: 'lm_head', targetModules: 'q_proj', rng })).toThrow(
      'applyLora: modulesToSave lm_head (Linear4bit) must have parameters to train, got a weight in 4 bits; ' +
        'leave it out when quantizing',
    );
  });

  it('trains nothing but the adapter: the base has no parameters but biases', async () => {
    const { model } = await build();
    const frozen = [...model.namedParameters()].filter(([, { requiresGrad }]) => !requiresGrad).map(([name]) => name);
    expect(frozen.every((name) => name.endsWith('bias') || name.startsWith('lm_head'))).toBe(true);
  });
});

describe('promise 8: merging says what it changes, over a 4-bit base', () => {
  it('merges into the dequantized weights, measures the difference, and puts the 4-bit base back', async () => {
    const { model, lora, x } = await build();
    const run = () => scope(() => noGrad(() => model.forward(x)));
    const before = await run().data();
    const report = await lora.merge({ probe: run });
    expect(report.dequantized).toHaveLength(8);
    expect(report.largestDifference).toBeGreaterThan(0);
    expect(report.largestDifference).toBeLessThan(1e-4);
    const after = await run().data();
    expect(report.largestDifference).toBe(
      Math.fround(Math.max(...after.map((value, i) => Math.abs(value - before[i]!)))),
    );
    lora.unmerge();
    expectClose(await run().data(), before, EXACT);
    expect([...lora.layers()].every(([, { baseLayer }]) => baseLayer instanceof Linear4bit)).toBe(true);
  });

  it('leaves a Conv1D where the 4-bit layer stood for one', async () => {
    const base = new Conv1D(new Parameter(rand([64, 32], { rng })));
    const model = new OneLinear<LinearLike>(await Linear4bit.fromLinear(base));
    const lora = applyLora(model, { rank: 2, rng });
    train(lora);
    const x = input([3, 64]);
    const y = await model.forward(x).data();
    await lora.mergeAndUnload();
    expect(model.layer).toBeInstanceOf(Conv1D);
    expectClose(await model.forward(x).data(), y, SAME);
  });

  it('leaves float layers behind, and frees the codes', async () => {
    const { memory } = cpu();
    const live = memory.liveBytes;
    const { model, lora, x } = await build();
    await lora.mergeAndUnload();
    expect(
      [...model.namedModules()].some(([, module]) => module instanceof LoraLinear || module instanceof Linear4bit),
    ).toBe(false);
    expect([...model.namedParameters()].map(([name]) => name)).toEqual(
      [...new TinyModel({ bias: true }).namedParameters()].map(([name]) => name),
    );
    model.dispose();
    x.dispose();
    expect(memory.liveBytes - live).toBe(
      new TinyModel({ bias: true }).parameters().reduce((sum, { byteLength }) => sum + byteLength, 0),
    );
  });
});
