import { crossEntropy, mse } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { SGD } from '@burin/optim-paged';
import { scope, type Tensor } from '@burin/tensor';
import { expectClose } from '@burin/testing';
import {
  type EvalPrediction,
  type HostBatch,
  type LogEntry,
  Trainer,
  type TrainerCallback,
  type TrainerEvent,
  type TrainerOptions,
} from '@burin/trainer';
import { describe, expect, it } from 'vitest';
import { decayGroups } from '../src/optimizer.js';
import { temporaryFolder } from './folders.js';
import { CLASSES, classifiedTexts, countingTexts, TinyClassifier, TinyLanguageModel, weightsOf } from './tiny-model.js';

const trainDataset = countingTexts(12);

describe('callbacks', () => {
  it('are called in order, and waited for', async () => {
    const seen: string[] = [];
    const note =
      (name: string) =>
      async ({ state }: TrainerEvent) => {
        await Promise.resolve();
        seen.push(`${name} ${state.globalStep}`);
      };
    const names = ['onTrainBegin', 'onStepEnd', 'onEpochEnd', 'onLog', 'onEvaluate', 'onSave', 'onTrainEnd'] as const;
    const callbacks: TrainerCallback[] = [Object.fromEntries(names.map((name) => [name, note(name)]))];
    const outputDir = temporaryFolder();
    const args = {
      outputDir,
      numTrainEpochs: 1,
      perDeviceTrainBatchSize: 6,
      loggingStrategy: 'no',
      evalStrategy: 'epoch',
      saveStrategy: 'epoch',
    } as const;
    await new Trainer({
      model: new TinyLanguageModel(),
      trainDataset,
      evalDataset: trainDataset,
      args,
      callbacks,
      reporter: false,
    }).train();
    expect(seen).toEqual([
      'onTrainBegin 0',
      'onStepEnd 1',
      'onStepEnd 2',
      'onEpochEnd 2',
      'onLog 2',
      'onEvaluate 2',
      'onSave 2',
      'onTrainEnd 2',
    ]);
  });

  it('may stop the run, and ask for a log, an evaluation and a checkpoint', async () => {
    const logs: LogEntry[] = [];
    const saved: string[] = [];
    const callback: TrainerCallback = {
      onStepEnd({ state, control }) {
        if (state.globalStep === 2) control.shouldLog = control.shouldEvaluate = control.shouldSave = true;
        if (state.globalStep === 3) control.shouldStop = true;
      },
      onLog: ({ logs: entry }) => void logs.push(entry),
      onSave: ({ checkpoint }) => void saved.push(checkpoint),
    };
    const outputDir = temporaryFolder();
    const trainer = new Trainer({
      model: new TinyLanguageModel(),
      trainDataset,
      evalDataset: trainDataset,
      args: { outputDir },
      callbacks: [callback],
      reporter: false,
    });
    expect((await trainer.train()).globalStep).toBe(3);
    expect(saved).toEqual([`${outputDir}/checkpoint-2`]);
    expect(logs.map(({ step, epoch }) => [step, epoch])).toEqual([
      [2, 1],
      [2, 1],
    ]);
    expect(Object.keys(logs[0]!)).toEqual(['step', 'epoch', 'loss', 'gradNorm', 'learningRate', 'tokensPerSecond']);
    expect(Object.keys(logs[1]!)).toEqual(['step', 'epoch', 'evalLoss', 'evalAccuracy', 'evalPerplexity']);
  });

  it('may ask for a checkpoint only where there is a folder', async () => {
    const callback: TrainerCallback = {
      onStepEnd({ control }) {
        control.shouldSave = true;
      },
    };
    const model = new TinyLanguageModel();
    const trainer = new Trainer({ model, trainDataset, callbacks: [callback], reporter: false });
    await expect(trainer.train()).rejects.toThrow(
      'Trainer: a checkpoint was asked for, and there is no folder to write it to; set outputDir',
    );
  });
});

describe('what is logged', () => {
  it('is the mean loss since the last log, and the learning rate of the step', async () => {
    const logs: LogEntry[] = [];
    const callbacks = [{ onLog: ({ logs: entry }: { logs: LogEntry }) => void logs.push(entry) }];
    const run = async (loggingSteps: number) => {
      logs.length = 0;
      const args = { maxSteps: 6, learningRate: 0.01, warmupSteps: 2, loggingSteps };
      const { trainLoss } = await new Trainer({
        model: new TinyLanguageModel(),
        trainDataset,
        args,
        callbacks,
        reporter: false,
      }).train();
      return { trainLoss, logs: [...logs] };
    };
    const [each, pairs] = [await run(1), await run(2)];
    expectClose(
      each.logs.map(({ learningRate }) => learningRate!),
      [0, 0.005, 0.01, 0.0075, 0.005, 0.0025],
      { rtol: 1e-12, atol: 0 },
    );
    const losses = each.logs.map(({ loss }) => loss!);
    expectClose([each.trainLoss], [losses.reduce((sum, loss) => sum + loss, 0) / 6], { rtol: 1e-12, atol: 0 });
    expectClose(
      pairs.logs.map(({ loss }) => loss!),
      [0, 2, 4].map((i) => (losses[i]! + losses[i + 1]!) / 2),
      { rtol: 1e-12, atol: 0 },
    );
  });
});

describe('the optimizer', () => {
  it('does not decay biases and the weights of norms', () => {
    class Normed extends TinyLanguageModel {
      readonly ln_f = new LayerNorm(3);
    }
    const { decayed, notDecayed } = decayGroups(new Normed());
    expect(decayed.map(([name]) => name)).toEqual(['embed_tokens.weight', 'hidden.weight', 'lm_head.weight']);
    expect(notDecayed.map(([name]) => name)).toEqual(['hidden.bias', 'lm_head.bias', 'ln_f.weight', 'ln_f.bias']);
  });

  it('may be one that is passed in, which stays usable', async () => {
    const model = new TinyLanguageModel();
    const optimizer = new SGD(model.namedParameters(), { lr: 0.1 });
    const args = { maxSteps: 2, lrSchedulerType: 'constant' } as const;
    await new Trainer({ model, optimizer, trainDataset, args, reporter: false }).train();
    await new Trainer({ model, optimizer, trainDataset, args, reporter: false }).train();
    optimizer.dispose();
  });

  it('clips the gradients of a step together', async () => {
    const move = async (maxGradNorm: number) => {
      const model = new TinyLanguageModel();
      const before = Object.values(await weightsOf(model)).flat();
      const optimizer = new SGD(model.namedParameters(), { lr: 1 });
      await new Trainer({
        model,
        optimizer,
        trainDataset,
        args: { maxSteps: 1, maxGradNorm, lrSchedulerType: 'constant' },
        reporter: false,
      }).train();
      optimizer.dispose();
      const after = Object.values(await weightsOf(model)).flat();
      return Math.hypot(...after.map((value, i) => value - before[i]!));
    };
    expectClose([await move(0.01)], [0.01], { rtol: 1e-3, atol: 0 }); // float32 differences of weights
    expect(await move(0)).toBeGreaterThan(0.1);
  });
});

describe('the schedule', () => {
  const train = (options: Pick<TrainerOptions<TinyLanguageModel>, 'args' | 'schedule' | 'callbacks'>) =>
    new Trainer({ model: new TinyLanguageModel(), trainDataset, reporter: false, ...options });

  it("may be one's own, made for the steps of the run", async () => {
    const rates: number[] = [];
    const args = { numTrainEpochs: 2, perDeviceTrainBatchSize: 6, learningRate: 0.5, loggingSteps: 1 };
    const callbacks = [{ onLog: ({ logs }: { logs: LogEntry }) => void rates.push(logs.learningRate!) }];
    await train({ args, callbacks, schedule: (totalSteps) => (step) => (totalSteps - step) ** 2 / 16 }).train();
    expect(rates).toEqual([0.5, 9 / 32, 4 / 32, 1 / 32]);
  });

  it.each([{ lrSchedulerType: 'linear' }, { warmupSteps: 1 }, { warmupRatio: 0.5 }] as const)(
    'is refused beside %o',
    (args) => {
      expect(() => train({ args, schedule: () => () => 1 })).toThrow(
        `Trainer: schedule and ${Object.keys(args)[0]} both say how the learning rate goes; give one of them`,
      );
    },
  );
});

describe('evaluation', () => {
  it('leaves the mode of each module, and draws no random number', async () => {
    const model = new TinyLanguageModel({ dropout: 0.5 });
    model.hidden.eval();
    const trainer = new Trainer({ model, evalDataset: trainDataset, reporter: false });
    expect(await trainer.evaluate()).toEqual(await trainer.evaluate());
    expect([model.training, model.hidden.training, model.dropout.training]).toEqual([true, false, true]);
    expect(model.dropout.rng.state.offset).toBe(0);
  });

  it('does not depend on the batch size', async () => {
    const evaluate = (perDeviceEvalBatchSize: number) =>
      new Trainer({
        model: new TinyLanguageModel(),
        evalDataset: countingTexts(7),
        args: { perDeviceEvalBatchSize },
        reporter: false,
      }).evaluate();
    const [one, all] = [await evaluate(1), await evaluate(7)];
    expectClose(Object.values(one), Object.values(all), { rtol: 1e-6, atol: 0 }); // float32 losses of batches
  });

  it('gives computeMetrics one prediction for each label that counts', async () => {
    let seen: EvalPrediction | null = null;
    const computeMetrics = (prediction: EvalPrediction) => {
      seen = prediction;
      return { top: 7 };
    };
    const classes = await new Trainer({
      model: new TinyClassifier(),
      evalDataset: classifiedTexts(5),
      computeMetrics,
      reporter: false,
    }).evaluate();
    expect(classes).toMatchObject({ evalTop: 7 });
    expect(seen!.logits).toHaveLength(5 * CLASSES);
    expect([...seen!.labels]).toEqual([0, 1, 2, 0, 1]);
    const text = { inputIds: [1, 2, 3, 4], labels: [-100, -100, 3, 4] };
    await new Trainer({
      model: new TinyLanguageModel(),
      evalDataset: [text],
      computeMetrics,
      reporter: false,
    }).evaluate();
    expect([...seen!.labels]).toEqual([3, 4]);
    expect(seen!.predictions).toHaveLength(2);
    expect(seen!.logits).toBeNull();
  });

  it('of numbers that are no classes is the loss, and has nothing for computeMetrics', async () => {
    class Regression extends TinyClassifier {
      override forward({ inputIds, labels }: { inputIds: Tensor; labels: Tensor }) {
        return scope(() => {
          const { logits } = super.forward({ inputIds });
          const values = logits.narrow(1, 0, 1); // [B, 1]
          return { loss: mse(values.reshape([-1]), labels), logits: values };
        });
      }
    }
    const collator = (values: readonly number[]): HostBatch => ({
      inputs: {
        inputIds: { data: new Int32Array(values.length), shape: [values.length, 1] },
        labels: { data: Float32Array.from(values), shape: [values.length] },
      },
    });
    const options = { model: new Regression(), evalDataset: [2.5, -1], collator, reporter: false as const };
    expect(Object.keys(await new Trainer(options).evaluate())).toEqual(['evalLoss']);
    await expect(new Trainer({ ...options, computeMetrics: () => ({}) }).evaluate()).rejects.toThrow(
      'evaluate: computeMetrics needs predictions: expected logits [..., C] of the model beside labels [...]',
    );
  });

  it('says what is missing', async () => {
    const model = new TinyLanguageModel();
    await expect(new Trainer({ model, trainDataset, reporter: false }).evaluate()).rejects.toThrow(
      'evaluate() needs data: pass evalDataset, or a data set',
    );
    await expect(new Trainer({ model, evalDataset: trainDataset, reporter: false }).train()).rejects.toThrow(
      'train() needs data: pass trainDataset',
    );
    expect(() => new Trainer({ model, trainDataset, args: { evalStrategy: 'epoch' } })).toThrow(
      "evalStrategy 'epoch' needs data: pass evalDataset",
    );
    const masked = [{ inputIds: [1, 2], labels: [-100, -100] }];
    await expect(new Trainer({ model, evalDataset: masked, reporter: false }).evaluate()).rejects.toThrow(
      'evaluate: a label at least must count',
    );
  });
});

describe('what a model must have', () => {
  it('is a loss of one element', async () => {
    class Lossless extends TinyLanguageModel {
      override forward({ inputIds }: { inputIds: Tensor }) {
        return { loss: null, logits: super.forward({ inputIds }).logits };
      }
    }
    await expect(new Trainer({ model: new Lossless(), trainDataset, reporter: false }).train()).rejects.toThrow(
      "the model's forward must return { loss } of one element, got loss, logits; it was given inputIds, attentionMask, labels",
    );
  });

  it('is recomputation, where that is asked for', () => {
    const args = { gradientCheckpointing: true };
    expect(() => new Trainer({ model: new TinyLanguageModel(), trainDataset, args })).toThrow(
      'gradientCheckpointing needs a model that has it (a field of that name)',
    );
    class Recomputing extends TinyLanguageModel {
      gradientCheckpointing = false;
    }
    const model = new Recomputing();
    new Trainer({ model, trainDataset, args });
    expect(model.gradientCheckpointing).toBe(true);
  });

  it('is logits, where labels are smoothed', async () => {
    class Smoothed extends TinyLanguageModel {
      override forward(batch: { inputIds: Tensor; labels: Tensor }) {
        const { logits } = super.forward({ inputIds: batch.inputIds });
        const steps = batch.labels.shape[1]! - 1;
        const options = { labelSmoothing: 0.1 };
        return { logits, loss: crossEntropy(logits.narrow(1, 0, steps), batch.labels.narrow(1, 1, steps), options) };
      }
    }
    const lossOf = async (model: TinyLanguageModel, labelSmoothingFactor: number) =>
      (await new Trainer({ model, trainDataset, args: { maxSteps: 2, labelSmoothingFactor }, reporter: false }).train())
        .trainLoss;
    expect(await lossOf(new TinyLanguageModel(), 0.1)).toBe(await lossOf(new Smoothed(), 0));
    expect(await lossOf(new TinyLanguageModel(), 0.1)).not.toBe(await lossOf(new TinyLanguageModel(), 0));
  });
});
