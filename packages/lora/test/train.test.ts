import { mse, type Parameter } from '@burin/nn';
import { checkpoint, Generator, scope, type Tensor, tensor, zeros } from '@burin/tensor';
import { EXACT, expectClose, readFixture } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { applyLora } from '../src/index.js';
import { input, linearOf, loraWith } from './layers.js';
import { TinyModel } from './tiny-model.js';

const rng = new Generator(0);

/** One optimizer for the parameters given, by the device's own AdamW kernel. */
function adamW(parameters: readonly Parameter[], { lr, betas, eps, weight_decay }: AdamWConfig) {
  const state = parameters.map(({ shape }) => [zeros(shape), zeros(shape)] as const);
  let step = 0;
  return () => {
    step++;
    parameters.forEach((parameter, i) => {
      const [mean, square] = state[i]!;
      parameter.device.kernels.adam({
        parameter: parameter.storage.buffer,
        gradient: parameter.grad!.storage.buffer,
        expAvg: mean.storage.buffer,
        expAvgSq: square.storage.buffer,
        ...{ offset: 0, expAvgOffset: 0, expAvgSqOffset: 0, size: parameter.size, learningRate: lr, eps },
        ...{ beta1: betas[0], beta2: betas[1], weightDecay: weight_decay, decoupled: true },
        ...{ biasCorrection1: 1 - betas[0] ** step, biasCorrection2: 1 - betas[1] ** step },
      });
      parameter.storage.version++;
      parameter.zeroGrad();
    });
  };
}

interface AdamWConfig {
  lr: number;
  betas: [number, number];
  eps: number;
  weight_decay: number;
}

describe("PEFT's training run of one layer: lora_train", () => {
  it('gives the same losses, A and B, and merged weight', async () => {
    const fixture = readFixture('lora', 'lora_train');
    const base = linearOf(fixture.floats('base.weight'), fixture.floats('base.bias'), fixture.shape('base.weight'));
    const alpha = fixture.number('lora_alpha');
    const { lora, layer, a, b } = loraWith(base, fixture.floats('lora_A.weight'), fixture.floats('lora_B.weight'), {
      alpha,
    });
    const step = adamW([a, b], fixture.manifest.config.optimizer as AdamWConfig);
    const [x, y] = ['x', 'y'].map((name) => tensor(fixture.floats(name), fixture.shape(name))) as [Tensor, Tensor];
    const close = async (values: Tensor, name: string) =>
      expectClose(await values.data(), fixture.floats(name), fixture.tolerance(name), name);

    const losses: number[] = [];
    for (let turn = 0; turn < fixture.number('steps'); turn++) {
      const loss = mse(lora.model.forward(x), y);
      losses.push(await loss.item());
      loss.backward();
      step();
      if (turn === 0) await close(a, 'step1.lora_A.weight');
      if (turn === 0) await close(b, 'step1.lora_B.weight');
    }
    losses.push(await mse(lora.model.forward(x), y).item());
    expectClose(losses, fixture.manifest.expected_values!.losses as number[], { rtol: 1e-4, atol: 5e-6 }); // the manifest's
    await close(a, 'final.lora_A.weight');
    await close(b, 'final.lora_B.weight');
    await lora.merge();
    await close(layer.floatWeight(), 'merged_weight');
  });
});

describe('promise 2: training trains', () => {
  const step = (parameters: readonly Parameter[]) => {
    for (const parameter of parameters) {
      const { grad } = parameter;
      if (grad) parameter.add_(grad, -0.1);
    }
  };

  it.each(['without', 'with'])('every B has moved after the first step, %s recomputation', async (mode) => {
    const model = new TinyModel({ width: 8 });
    const lora = applyLora(model, { rank: 2, rng });
    const x = input([3, 8]);
    expect(await lora.untrainedLayers('default')).toHaveLength(8);
    const y = mode === 'with' ? checkpoint((h) => model.forward(h), x) : model.forward(x);
    y.sum().backward();
    step([...lora.adapterParameters('default').values()]);
    expect(await lora.untrainedLayers('default')).toEqual([]);
  });

  it('recomputation gives the same gradients, with dropout too', async () => {
    const gradients = async (recompute: boolean) => {
      const model = new TinyModel({ width: 8 });
      const lora = applyLora(model, { rank: 2, dropout: 0.5, rng: new Generator(5) });
      for (const parameter of lora.adapterParameters('default').values())
        parameter.add_(tensor(new Float32Array(parameter.size).fill(0.1), parameter.shape));
      const x = input([3, 8]);
      (recompute ? checkpoint((h) => model.forward(h), x) : model.forward(x)).sum().backward();
      return Promise.all(
        [...lora.adapterParameters('default').values()].map(async ({ grad }) => [...(await grad!.data())]),
      );
    };
    expectClose((await gradients(true)).flat(), (await gradients(false)).flat(), EXACT);
  });

  it('names the layers that did not move', async () => {
    const model = new TinyModel({ width: 8 });
    const lora = applyLora(model, { rank: 2, targetModules: ['q_proj'], rng });
    model
      .forward(input([3, 8]))
      .sum()
      .backward();
    step([...lora.adapterParameters('default').values()].slice(0, 2));
    expect(await lora.untrainedLayers('default')).toEqual(['model.layers.1.self_attn.q_proj']);
  });

  it('holds no more bytes after ten steps than after two', () => {
    const model = new TinyModel({ width: 8 });
    const lora = applyLora(model, { rank: 2, dropout: 0.1, rng });
    const x = input([3, 8]);
    const bytes: number[] = [];
    for (let turn = 0; turn < 10; turn++) {
      scope(() => model.forward(x).sum().backward());
      step([...lora.adapterParameters('default').values()]);
      model.zeroGrad();
      bytes.push(x.device.memory.liveBytes);
    }
    expect(bytes[9]).toBe(bytes[1]);
  });
});
