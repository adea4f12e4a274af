import { scaledDotProductAttention } from '@burin/attention';
import { crossEntropy, Embedding, init, Linear, Module, type Parameter, stateDict } from '@burin/nn';
import { BatchNorm } from '@burin/norm';
import { arange, checkpoint, cpu, Generator, MemoryError, type Tensor } from '@burin/tensor';
import { expectClose } from '@burin/testing';
import {
  type Collator,
  causalLmCollator,
  DataError,
  type Example,
  NonFiniteError,
  NotTrainedError,
  packedCollator,
  Trainer,
  type TrainingOptions,
} from '@burin/trainer';
import { afterEach, describe, expect, it } from 'vitest';
import { accumulateGradients, sumAndFree } from '../src/accumulate.js';
import { windowAt } from '../src/data/windows.js';
import { findGenerators } from '../src/generators.js';
import { probeBatch } from '../src/memory-probe.js';
import { countingTexts, TinyLanguageModel, VOCABULARY, weightsOf } from './tiny-model.js';

const SUMMATION = { rtol: 1e-5, atol: 1e-7 }; // float32 sums taken in another order

/** A head whose weight is frozen, with a LoRA pair beside it. */
class TinyLora extends Module {
  readonly base: TinyLanguageModel;
  readonly loraA: Parameter;
  readonly lora_B: Parameter;
  readonly recompute: boolean;
  readonly broken: boolean;

  constructor({ recompute = false, broken = false } = {}) {
    super();
    this.base = new TinyLanguageModel();
    this.base.requiresGrad_(false);
    this.loraA = init.kaimingUniform([2, VOCABULARY], { rng: new Generator(3) });
    this.lora_B = init.zeros([VOCABULARY, 2]);
    this.recompute = recompute;
    this.broken = broken;
  }

  forward({ inputIds, labels }: { inputIds: Tensor; labels: Tensor }) {
    const { logits } = this.base.forward({ inputIds });
    const low = (x: Tensor) => x.matmul(this.loraA.transpose(0, 1)).matmul(this.lora_B.transpose(0, 1));
    const path = this.broken ? (x: Tensor) => low(x).mul(0) : low;
    const adapted = logits.add(this.recompute ? checkpoint(path, logits) : path(logits));
    const steps = labels.shape[1]! - 1;
    return { loss: crossEntropy(adapted.narrow(1, 0, steps), labels.narrow(1, 1, steps)) };
  }
}

describe('promise 2: training trains', () => {
  const args = { maxSteps: 2, learningRate: 0.01 };
  const trainDataset = countingTexts(8);

  it.each([false, true])('moves lora_B in the first step, recomputation %s', async (recompute) => {
    const model = new TinyLora({ recompute });
    await new Trainer({ model, trainDataset, args, reporter: false }).train();
    expect((await model.lora_B.data()).some((value) => value !== 0)).toBe(true);
  });

  it('stops where lora_B did not move, and names it', async () => {
    const training = new Trainer({
      model: new TinyLora({ broken: true }),
      trainDataset,
      args,
      reporter: false,
    }).train();
    await expect(training).rejects.toThrow(NotTrainedError);
    await expect(training).rejects.toThrow('every lora_B must move in the first step: lora_B did not');
  });

  it('stops where a parameter gets no gradient, and names it', async () => {
    class Unused extends TinyLanguageModel {
      readonly pooler = new Linear(3, 3, { rng: new Generator(1) });
    }
    const training = new Trainer({ model: new Unused(), trainDataset, args, reporter: false }).train();
    await expect(training).rejects.toThrow(
      'every trainable parameter must get a gradient: got none for pooler.weight, pooler.bias of 7',
    );
  });

  it('waits for the first step with a learning rate', async () => {
    const model = new TinyLora();
    await new Trainer({ model, trainDataset, args: { ...args, warmupSteps: 1 }, reporter: false }).train();
    expect((await model.lora_B.data()).some((value) => value !== 0)).toBe(true);
  });

  it('stops where a layer is exchanged during the run', async () => {
    const model = new TinyLanguageModel();
    const callbacks = [
      { onStepEnd: () => void model.replaceModule('hidden', new Linear(6, 6, { rng: new Generator(1) })) },
    ];
    await expect(new Trainer({ model, trainDataset, args, callbacks, reporter: false }).train()).rejects.toThrow(
      'what is trained must stay in the model: hidden.weight, hidden.bias of 5 are gone; was a layer exchanged during the run',
    );
  });

  it('refuses a model in which nothing is to be trained', async () => {
    const model = new TinyLanguageModel().requiresGrad_(false);
    await expect(new Trainer({ model, trainDataset, reporter: false }).train()).rejects.toThrow(
      'a parameter at least must be trainable, got none; apply LoRA first',
    );
  });
});

describe('promise 4: accumulation is exact', () => {
  const texts = countingTexts(7); // lengths 3 to 9: the batches' token counts differ
  const order = Int32Array.from(texts, (_, i) => i);

  async function gradients(batchSize: number, accumulation: number) {
    const model = new TinyLanguageModel();
    const window = windowAt(texts, causalLmCollator(), order, 0, { batchSize, accumulation });
    const loss = await sumAndFree(accumulateGradients(model, window, cpu(), 0));
    const entries = [...model.namedParameters()].map(async ([name, p]) => [name, await p.grad!.data()] as const);
    return { loss, gradients: await Promise.all(entries) };
  }

  it.each([1, 2, 3])('gives the gradients of one big batch with small ones of %i', async (batchSize) => {
    const whole = await gradients(7, 1);
    const parts = await gradients(batchSize, Math.ceil(7 / batchSize));
    expectClose([parts.loss], [whole.loss], SUMMATION);
    for (const [i, [name, expected]] of whole.gradients.entries())
      expectClose(parts.gradients[i]![1], expected, SUMMATION, name);
  });

  it('gives the weights of big batches, the last short window included', async () => {
    const train = async (perDeviceTrainBatchSize: number, gradientAccumulationSteps: number) => {
      const model = new TinyLanguageModel();
      const args = {
        perDeviceTrainBatchSize,
        gradientAccumulationSteps,
        numTrainEpochs: 2,
        learningRate: 0.01,
        adamEpsilon: 1e-4,
      };
      const { globalStep, trainLoss } = await new Trainer({
        model,
        trainDataset: texts,
        args,
        reporter: false,
      }).train();
      return { globalStep, trainLoss, weights: await weightsOf(model) };
    };
    const [big, small] = [await train(4, 1), await train(2, 2)]; // windows of 4 and 3 examples
    expect([big.globalStep, small.globalStep]).toEqual([4, 4]);
    expectClose([small.trainLoss], [big.trainLoss], SUMMATION);
    for (const name of Object.keys(big.weights))
      expectClose(small.weights[name]!, big.weights[name]!, { rtol: 1e-4, atol: 1e-5 }, name); // Adam divides by small roots
  });

  it('passes over a batch without a trained token', async () => {
    const masked = [texts[0]!, { inputIds: [1, 2, 3], labels: [-100, -100, -100] }];
    const window = windowAt(masked, causalLmCollator(), Int32Array.of(0, 1), 0, { batchSize: 1, accumulation: 2 });
    const loss = await sumAndFree(accumulateGradients(new TinyLanguageModel(), window, cpu(), 0));
    expect(loss).toBeGreaterThan(0);
  });

  it('refuses a step without a trained token', async () => {
    const trainDataset = [texts[0]!, { inputIds: [1, 2, 3], labels: [-100, -100, -100] }];
    const args = { perDeviceTrainBatchSize: 1, maxSteps: 2 };
    const training = new Trainer({ model: new TinyLanguageModel(), trainDataset, args, reporter: false }).train();
    await expect(training).rejects.toThrow(
      'an optimizer step must train a token at least: expected a label that is not -100 in examples 1, got none',
    );
  });
});

describe('promise 5: packing does not leak', () => {
  const WIDTH = 8;

  /** Looks at the tokens before it in its own text, and at its position. */
  class TinyAttention extends Module {
    readonly tokens = new Embedding(VOCABULARY, WIDTH, { rng: new Generator(1) });
    readonly places = new Embedding(16, WIDTH, { rng: new Generator(2) });
    readonly head = new Linear(WIDTH, VOCABULARY, { rng: new Generator(3) });

    forward({ inputIds, labels, attentionMask, segments, positions }: PackedInput) {
      const ids = positions?.ids ?? arange(0, inputIds.shape[1]!);
      const x = this.tokens.forward(inputIds).add(this.places.forward(ids));
      const heads = x.unsqueeze(1); // [B, 1, T, C]
      const masks = {
        causal: true,
        keyPaddingMask: attentionMask,
        segments: segments ?? null,
        layout: 'bhtd',
      } as const;
      const logits = this.head.forward(scaledDotProductAttention(heads, heads, heads, masks).squeeze(1).add(x));
      const steps = labels.shape[1]! - 1;
      return { loss: crossEntropy(logits.narrow(1, 0, steps), labels.narrow(1, 1, steps)) };
    }
  }

  interface PackedInput {
    inputIds: Tensor;
    labels: Tensor;
    attentionMask: Tensor;
    segments?: Tensor;
    positions?: { ids: Tensor; max: number };
  }

  it('gives the loss and gradients of separate texts', async () => {
    const texts = countingTexts(6);
    const run = async (collator: Collator<Example>) => {
      const model = new TinyAttention();
      const window = windowAt(texts, collator, Int32Array.of(0, 1, 2, 3, 4, 5), 0, { batchSize: 6, accumulation: 1 });
      const loss = await sumAndFree(accumulateGradients(model, window, cpu(), 0));
      return { trained: window.trained, loss, gradient: await model.tokens.weight.grad!.data() };
    };
    const [separate, packed] = [await run(causalLmCollator()), await run(packedCollator({ maxLength: 16 }))];
    expect(packed.trained).toBe(separate.trained);
    expectClose([packed.loss], [separate.loss], SUMMATION);
    expectClose(packed.gradient, separate.gradient, SUMMATION);
  });
});

describe('promise 7: no NaN goes unnoticed', () => {
  const args = { maxSteps: 4, learningRate: 0.01, perDeviceTrainBatchSize: 2 };
  const trainDataset = countingTexts(8);

  /** Breaks a weight after two steps. */
  const breaking = (path: string, value: number) => (model: TinyLanguageModel) => ({
    onStepEnd({ state }: { state: { globalStep: number } }) {
      if (state.globalStep !== 2) return;
      const layer = model.getModule(path) as Linear;
      layer.weight.fill_(value);
    },
  });

  it('stops before the step and names the first layer with an output that is not finite', async () => {
    const model = new TinyLanguageModel();
    const callbacks = [breaking('hidden', Number.NaN)(model)];
    const training = new Trainer({ model, trainDataset, args, callbacks, reporter: false }).train();
    await expect(training).rejects.toThrow(
      'Trainer: step 3: the loss is NaN: the first layer with an output that is not finite is hidden; ' +
        'weights that are not finite: hidden.weight; the step was not taken',
    );
    await expect(training).rejects.toMatchObject({ where: 'hidden', step: 3 });
  });

  it('names the first parameter where only gradients are not finite', async () => {
    class Steep extends TinyLanguageModel {
      override forward(batch: { inputIds: Tensor; labels: Tensor }) {
        const { loss, logits } = super.forward(batch);
        const root = this.hidden.bias!.detach().mul(0).sum(); // 0, whose square root has an infinite slope
        const steep = this.hidden.bias!.mul(0).sum().sqrt();
        return { loss: loss!.add(steep).add(root), logits };
      }
    }
    const model = new Steep();
    const before = await weightsOf(model);
    const training = new Trainer({ model, trainDataset, args, reporter: false }).train();
    await expect(training).rejects.toThrow(NonFiniteError);
    await expect(training).rejects.toThrow(
      'the norm of the gradients is NaN: the first parameter with a gradient that is not finite is hidden.bias (of 1)',
    );
    expect(await weightsOf(model)).toEqual(before);
  });

  it('says so where the gradients are finite and their norm is not', async () => {
    class Huge extends TinyLanguageModel {
      override forward(batch: { inputIds: Tensor; labels: Tensor }) {
        const { loss, logits } = super.forward(batch);
        return { loss: loss!.mul(1e30), logits };
      }
    }
    const training = new Trainer({ model: new Huge(), trainDataset, args, reporter: false }).train();
    await expect(training).rejects.toThrow('each is finite, but the sum of their squares is not');
  });
});

describe('promise 11: memory is itemised', () => {
  const trainDataset = countingTexts(16);

  it('says what a run needs, and afterwards what it took', async () => {
    const model = new TinyLora();
    const lines: string[] = [];
    const reporter = { line: (text: string) => lines.push(text), begin() {}, step() {}, log() {}, end() {} };
    const { memory } = await new Trainer({ model, trainDataset, args: { maxSteps: 2 }, reporter }).train();
    const bytes = Object.fromEntries(memory.items.map((item) => [item.name, item.bytes]));
    const frozen = model.base.parameters().reduce((sum, { byteLength }) => sum + byteLength, 0);
    const trainable = 4 * VOCABULARY * 4; // A and B, 2 x 11 float32 each
    expect(bytes).toMatchObject({
      'base weights (frozen)': frozen,
      'trainable weights': trainable,
      gradients: trainable,
      'optimizer state': 2 * trainable,
    });
    expect(bytes.activations).toBeGreaterThan(0);
    expect(memory.totalBytes).toBe(memory.items.reduce((sum, item) => sum + item.bytes, 0));
    expect(memory.measuredPeakBytes).toBeGreaterThan(frozen + trainable);
    expect(lines.join('\n')).toMatch(/optimizer state +352 B/);
    expect(lines.join('\n')).toMatch(/activations .* measured on the 8 longest examples, 9 tokens/);
    expect(lines.at(-1)).toMatch(/most held at once .* measured/);
  });

  it('estimates what is then measured, to within a quarter', async () => {
    const model = new TinyLanguageModel({ width: 64 });
    const { memory } = await new Trainer({ model, trainDataset, args: { maxSteps: 2 }, reporter: false }).train();
    expect(memory.totalBytes / memory.measuredPeakBytes!).toBeGreaterThan(0.8);
    expect(memory.totalBytes / memory.measuredPeakBytes!).toBeLessThan(1.25);
  });

  it('changes nothing while it measures', async () => {
    class Normed extends TinyLanguageModel {
      readonly norm = new BatchNorm(VOCABULARY);

      override forward(batch: { inputIds: Tensor; labels: Tensor }) {
        const { loss, logits } = super.forward(batch);
        return { loss: loss!.add(this.norm.forward(logits.reshape([-1, VOCABULARY])).mean()), logits };
      }
    }
    const model = new Normed({ dropout: 0.5 });
    const stateOf = async () => [
      model.dropout.rng.state,
      await Promise.all([...stateDict(model).values()].map((t) => t.data())),
    ];
    const before = await stateOf();
    const options = { device: cpu(), generators: findGenerators(model), labelSmoothing: 0 };
    expect(probeBatch(model, causalLmCollator()(trainDataset.slice(0, 4), [0, 1, 2, 3]), options)).not.toBeNull();
    expect(await stateOf()).toEqual(before);
    expect(model.parameters().every(({ grad }) => grad === null)).toBe(true);
  });

  describe('under a budget', () => {
    const { memory } = cpu();
    const long = Array.from({ length: 16 }, () => ({ inputIds: new Int32Array(2000).fill(3) }));
    afterEach(() => {
      memory.budget = Number.POSITIVE_INFINITY;
    });

    /** Trains a step with so many bytes to spare. */
    async function trainWithin(bytes: number, args: TrainingOptions, trainDataset: readonly Example[] = long) {
      const model = new TinyLanguageModel({ dropout: 0.1 });
      const before = await weightsOf(model);
      memory.budget = memory.liveBytes + bytes;
      const live = memory.liveBytes;
      const trainer = new Trainer({ model, trainDataset, args: { maxSteps: 1, ...args }, reporter: false });
      const refused = await trainer.train().then(
        () => null,
        (error: unknown) => error,
      );
      memory.budget = Number.POSITIVE_INFINITY;
      expect(memory.liveBytes).toBe(live);
      if (refused) expect(await weightsOf(model)).toEqual(before);
      model.dispose();
      return refused;
    }

    it('refuses early, with a smaller batch that fits and takes the same steps', async () => {
      const error = await trainWithin(4_000_000, { perDeviceTrainBatchSize: 16 });
      expect(error).toBeInstanceOf(MemoryError);
      expect(String(error)).toContain('does not hold a batch of 16 examples of 2000 tokens besides 740 B of weights');
      const advice =
        /perDeviceTrainBatchSize: (\d+) with gradientAccumulationSteps: (\d+) would fit, and takes the same steps/;
      const [, size, steps] = advice.exec(String(error))!.map(Number);
      expect(size! * steps!).toBe(16);
      const advised = { perDeviceTrainBatchSize: size!, gradientAccumulationSteps: steps! };
      expect(await trainWithin(4_000_000, advised)).toBeNull();
    });

    it('advises shorter examples where one is too long', async () => {
      const error = await trainWithin(100_000, { perDeviceTrainBatchSize: 4 });
      const [, length] = /perDeviceTrainBatchSize: 1 with examples of (\d+) tokens at most \(maxLength\) would fit$/
        .exec(String(error))!
        .map(Number);
      const shorter = long.map(({ inputIds }) => ({ inputIds: inputIds.slice(0, length) }));
      expect(await trainWithin(100_000, { perDeviceTrainBatchSize: 1 }, shorter)).toBeNull();
    });

    it('says where nothing would fit', async () => {
      expect(String(await trainWithin(500, {}))).toContain(
        'not one token would fit: freeze more weights, use a 4-bit base',
      );
    });
  });
});

describe('promise 16: nothing leaks', () => {
  it('holds as many bytes after 50 steps as after 2', async () => {
    const { memory } = cpu();
    const live: number[] = [];
    const model = new TinyLanguageModel({ dropout: 0.1 });
    const before = memory.liveBytes;
    const callbacks = [{ onStepEnd: () => void live.push(memory.liveBytes) }];
    const args = {
      maxSteps: 50,
      gradientAccumulationSteps: 2,
      perDeviceTrainBatchSize: 2,
      evalStrategy: 'steps',
      evalSteps: 10,
    } as const;
    const data = countingTexts(9);
    await new Trainer({ model, trainDataset: data, evalDataset: data, args, callbacks, reporter: false }).train();
    expect(live).toHaveLength(50);
    expect(live[49]).toBe(live[1]);
    expect(memory.liveBytes).toBe(before); // the optimizer's state is gone too
    model.dispose();
  });

  it('frees all where a run fails', async () => {
    const { memory } = cpu();
    const model = new TinyLanguageModel();
    const before = memory.liveBytes;
    const callbacks = [{ onStepEnd: () => void model.hidden.weight.fill_(Number.NaN) }];
    const training = new Trainer({
      model,
      trainDataset: countingTexts(9),
      args: { maxSteps: 5 },
      callbacks,
      reporter: false,
    });
    await expect(training.train()).rejects.toThrow(NonFiniteError);
    expect(memory.liveBytes).toBe(before);
  });
});

it('refuses an option that there is not, such as an argument outside args', () => {
  const options = { model: new TinyLanguageModel(), learningRate: 1e-3 };
  expect(() => new Trainer(options as never)).toThrow(
    'Trainer: there is no option learningRate; expected model, args, ',
  );
});

it('refuses data that are empty', () => {
  expect(() => new Trainer({ model: new TinyLanguageModel(), trainDataset: [], reporter: false })).toThrow(DataError);
  expect(() => new Trainer({ model: new TinyLanguageModel(), trainDataset: [], reporter: false })).toThrow(
    'Trainer: trainDataset must have an example at least, got 0',
  );
});
