import { inspectDataset, Trainer } from '@burin/trainer';
import { describe, expect, it } from 'vitest';
import { SpanModel, spanCollator, textsWithAnswers } from './spans.js';
import { classifiedTexts, countingTexts, TinyClassifier, TinyLanguageModel } from './tiny-model.js';

describe('Trainer', () => {
  it('teaches a language model to count', async () => {
    const trainer = new Trainer({
      model: new TinyLanguageModel({ width: 16 }),
      trainDataset: countingTexts(40),
      evalDataset: countingTexts(11),
      args: { learningRate: 0.05, numTrainEpochs: 10, loggingSteps: 5, evalStrategy: 'epoch' },
      reporter: false,
    });
    const before = await trainer.evaluate();
    const { globalStep, trainLoss, metrics } = await trainer.train();
    expect(globalStep).toBe(50);
    expect(trainLoss).toBeLessThan(before.evalLoss!);
    expect(metrics!.evalAccuracy).toBeGreaterThan(0.95);
    expect(metrics!.evalPerplexity).toBeLessThan(1.5);
  });

  it('teaches a classifier its classes', async () => {
    const trainer = new Trainer({
      model: new TinyClassifier(),
      trainDataset: classifiedTexts(33),
      evalDataset: classifiedTexts(11),
      args: { learningRate: 0.1, numTrainEpochs: 20, evalStrategy: 'epoch' },
      reporter: false,
    });
    const { metrics } = await trainer.train();
    expect(metrics!.evalAccuracy).toBe(1);
    expect(metrics!.evalF1Macro).toBe(1);
  });

  it('teaches a model where answers lie, and passes over texts that have none', async () => {
    const trainer = new Trainer({
      model: new SpanModel(),
      trainDataset: textsWithAnswers(30),
      evalDataset: textsWithAnswers(11),
      collator: spanCollator,
      args: { learningRate: 0.1, numTrainEpochs: 8, perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 2 },
      reporter: false,
    });
    expect(inspectDataset(textsWithAnswers(30), spanCollator)).toMatchObject({
      trainedTokens: 24,
      untrained: [4, 9, 14, 19, 24, 29],
    });
    await trainer.train();
    const metrics = await trainer.evaluate();
    expect(Object.keys(metrics)).toEqual(['evalLoss']);
    expect(metrics.evalLoss).toBeLessThan(0.1);
  });
});
