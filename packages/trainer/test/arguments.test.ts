import { resolveArguments } from '@burin/trainer';
import { describe, expect, it } from 'vitest';

describe('resolveArguments', () => {
  it("has Hugging Face's defaults", () => {
    const args = resolveArguments();
    expect(args).toMatchObject({ learningRate: 5e-5, numTrainEpochs: 3, perDeviceTrainBatchSize: 8, maxGradNorm: 1 });
    expect(args).toMatchObject({ adamBeta1: 0.9, adamBeta2: 0.999, adamEpsilon: 1e-8, lrSchedulerType: 'linear' });
    expect(resolveArguments({ loggingSteps: 7 }).evalSteps).toBe(7);
    expect(resolveArguments({ loggingSteps: 7, loggingStrategy: 'no', evalStrategy: 'steps' }).evalSteps).toBe(7);
    expect(resolveArguments({ learningRate: undefined }).learningRate).toBe(5e-5);
  });

  it.each([
    [{ learning_rate: 1 }, 'TrainingArguments: there is no argument learning_rate; did you mean learningRate?'],
    [{ learnigRate: 1 }, 'there is no argument learnigRate; did you mean learningRate?'],
    [{ fsdpConfiguration: 1 }, 'there is no argument fsdpConfiguration: expected one of outputDir, numTrainEpochs'],
    [{ learningRate: -1 }, 'TrainingArguments: learningRate must be a number of 0 or more, got -1'],
    [{ learningRate: '1e-4' }, 'learningRate must be a number of 0 or more, got "1e-4"'],
    [{ perDeviceTrainBatchSize: 0 }, 'perDeviceTrainBatchSize must be a whole number of 1 or more, got 0'],
    [{ evalStrategy: 'step' }, "evalStrategy must be 'no', 'steps', 'epoch', got \"step\""],
    [{ warmupRatio: 1 }, 'warmupRatio must be a number from 0 to less than 1, got 1'],
    [{ saveTotalLimit: 0 }, 'saveTotalLimit must be a whole number of 1 or more, or null, got 0'],
    [{ numTrainEpochs: Number.NaN }, 'numTrainEpochs must be a number greater than 0, got null'],
  ])('refuses %o', (options, message) => {
    expect(() => resolveArguments(options as never)).toThrow(message);
  });

  it.each([
    [{ maxSteps: 5, numTrainEpochs: 1 }, 'maxSteps and numTrainEpochs both say how long the run is; give one of them'],
    [{ warmupSteps: 5, warmupRatio: 0.1 }, 'warmupSteps and warmupRatio both say how long the warmup is'],
    [{ lrSchedulerType: 'constant', warmupSteps: 5 }, "use 'constant_with_warmup', or leave the warmup out"],
    [{ saveStrategy: 'steps' }, "saveStrategy 'steps' needs a folder to write to; set outputDir"],
    [{ resumeFromCheckpoint: true }, 'set outputDir, or give a path'],
    [{ loadBestModelAtEnd: true }, 'loadBestModelAtEnd needs evaluations to know the best'],
    [{ earlyStoppingPatience: 2 }, "earlyStoppingPatience counts evaluations; set evalStrategy to 'steps' or 'epoch'"],
    [{ evalSteps: 2 }, "evalSteps is given but evalStrategy is 'no'"],
    [
      { evalSteps: 2, evalStrategy: 'epoch' },
      "evalSteps is given but evalStrategy is 'epoch'; set evalStrategy to 'steps'",
    ],
    [
      { loggingSteps: 2, loggingStrategy: 'epoch' },
      "loggingSteps is given but loggingStrategy is 'epoch'; set loggingStrategy to 'steps'",
    ],
    [
      { loggingSteps: 2, loggingStrategy: 'no', evalStrategy: 'steps', evalSteps: 3 },
      "loggingSteps is given but loggingStrategy is 'no'",
    ],
    [{ saveSteps: 2 }, "saveSteps is given but saveStrategy is 'no'"],
    [
      { loadBestModelAtEnd: true, evalStrategy: 'epoch', saveStrategy: 'steps', outputDir: 'a' },
      "saveStrategy is 'steps', evalStrategy 'epoch'; make them the same",
    ],
    [
      {
        loadBestModelAtEnd: true,
        evalStrategy: 'steps',
        saveStrategy: 'steps',
        outputDir: 'a',
        saveSteps: 5,
        evalSteps: 2,
      },
      'saveSteps 5 is no multiple of evalSteps 2; make it one',
    ],
  ] as const)('refuses the contradiction %o', (options, message) => {
    expect(() => resolveArguments(options)).toThrow(message);
  });
});
