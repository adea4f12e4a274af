import { applyLora } from '@burin/lora';
import { LlamaForCausalLM } from '@burin/models';
import { AdamW } from '@burin/optim-paged';
import { quantizeModel } from '@burin/quant-nf4';
import { backward, cpu, type Device, Generator, setDefaultDevice, tensor } from '@burin/tensor';
import { gpuBackends } from '@burin/testing';
import { afterEach, describe, expect, it } from 'vitest';

const VOCABULARY = 53;
const [BATCH, TOKENS] = [2, 11];

/** Sums are in other orders than on the CPU, and a step's rounding goes into the next: small beside a loss of about 4. */
const CURVE = 1e-3;

type Method = 'full' | 'qlora';

async function makeModel(method: Method): Promise<LlamaForCausalLM> {
  const sizes = { vocabSize: VOCABULARY, hiddenSize: 32, intermediateSize: 48, numHiddenLayers: 2 };
  const model = LlamaForCausalLM.create(
    { ...sizes, numAttentionHeads: 4, numKeyValueHeads: 2, tieWordEmbeddings: false },
    { rng: new Generator(0) },
  );
  if (method === 'full') return model;
  await quantizeModel(model, { doubleQuant: true });
  applyLora(model, { rank: 4, alpha: 8, targetModules: ['q_proj', 'v_proj'], rng: new Generator(1) });
  return model;
}

/** Trains for some steps, a batch of another length every other step. `after` sees each step's loss. */
async function train(
  device: Device,
  method: Method,
  steps: number,
  after: (step: number) => void = () => {},
): Promise<number[]> {
  setDefaultDevice(device);
  const model = await makeModel(method);
  const optimizer = new AdamW(
    model.parameters().filter(({ requiresGrad }) => requiresGrad),
    { lr: 1e-2 },
  );
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const tokens = TOKENS - (step % 2);
    const ids = Int32Array.from({ length: BATCH * tokens }, (_, i) => (i * 7 + 3) % VOCABULARY);
    const inputIds = tensor(ids, [BATCH, tokens]);
    const loss = model.train().loss({ inputIds, labels: inputIds });
    backward(loss);
    await optimizer.step();
    optimizer.zeroGrad();
    losses.push(await loss.item());
    loss.dispose();
    inputIds.dispose();
    after(step);
  }
  optimizer.dispose();
  model.dispose();
  return losses;
}

afterEach(() => setDefaultDevice('cpu'));

describe.each(await gpuBackends())('training on $name $missing', ({ device }) => {
  it.skipIf(!device).each<Method>(['full', 'qlora'])(
    '%s: nothing leaks in 50 steps, and nothing is compiled after step 3',
    async (method) => {
      const gpu = device!;
      const before = gpu.memory.liveBytes;
      const live: number[] = [];
      const compiled: number[] = [];
      const losses = await train(gpu, method, 50, () => {
        live.push(gpu.memory.liveBytes);
        compiled.push(gpu.compiledKernels);
      });
      expect(live[49]).toBe(live[1]);
      expect(compiled[49]).toBe(compiled[2]);
      expect(losses[49]!).toBeLessThan(losses[0]! - 0.2);
      expect(gpu.memory.liveBytes).toBe(before);
    },
    120_000,
  );

  it.skipIf(!device)(
    'has the loss curve of the CPU',
    async () => {
      const expected = await train(cpu(), 'full', 8);
      const actual = await train(device!, 'full', 8);
      for (const [i, loss] of actual.entries()) expect(Math.abs(loss - expected[i]!)).toBeLessThan(CURVE);
    },
    60_000,
  );
});
