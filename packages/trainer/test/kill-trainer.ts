import { setTimeout as sleep } from 'node:timers/promises';
import { findLastCheckpoint, Trainer } from '@burin/trainer';
import { countingTexts, TinyLanguageModel } from './tiny-model.js';

// Trains until it is done or killed, from the last checkpoint on: `kill-trainer.ts FOLDER slow|fast`. See kill.test.ts.

const [outputDir, speed] = process.argv.slice(2) as [string, string];
const pause = (ms: number) => (speed === 'slow' ? sleep(ms) : Promise.resolve());

const last = await findLastCheckpoint(outputDir);
const trainer = new Trainer({
  model: new TinyLanguageModel({ dropout: 0.2, width: 32 }),
  trainDataset: countingTexts(17),
  evalDataset: countingTexts(5),
  args: {
    outputDir,
    maxSteps: 600, // more than the slow runs of kill.test.ts come to
    perDeviceTrainBatchSize: 2,
    gradientAccumulationSteps: 2,
    learningRate: 0.005,
    evalStrategy: 'steps',
    evalSteps: 6,
    saveStrategy: 'steps',
    saveSteps: 3,
    saveTotalLimit: 2,
    resumeFromCheckpoint: last ?? false,
  },
  callbacks: [
    { onTrainBegin: () => void process.stdout.write(`from ${last ?? 'the start'}\n`), onStepEnd: () => pause(2) },
  ],
  // in the middle of a checkpoint: weights are written, the state is not
  saveExtra: () => {
    process.stdout.write('saving\n');
    return pause(12);
  },
  reporter: false,
});
await trainer.train();
process.stdout.write('done\n');
