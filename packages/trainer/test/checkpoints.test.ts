import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer, Dropout, type Linear, Module } from '@burin/nn';
import { SGD } from '@burin/optim-paged';
import { Generator, tensor } from '@burin/tensor';
import { findLastCheckpoint, lineReporter, Trainer, type TrainingOptions } from '@burin/trainer';
import { describe, expect, it } from 'vitest';
import { pruneCheckpoints } from '../src/checkpoints/folders.js';
import { readCheckpoint, temporaryFolder } from './folders.js';
import { countingTexts, TinyLanguageModel, weightsOf } from './tiny-model.js';

const trainDataset = countingTexts(17);
const evalDataset = countingTexts(5);

const ARGS: TrainingOptions = {
  maxSteps: 14,
  perDeviceTrainBatchSize: 2,
  gradientAccumulationSteps: 2, // 5 windows an epoch, the last one short
  learningRate: 0.02,
  warmupSteps: 2,
  weightDecay: 0.1,
  lrSchedulerType: 'cosine',
  loggingSteps: 3,
  evalStrategy: 'steps',
  evalSteps: 4,
  saveStrategy: 'steps',
  saveSteps: 4,
};

function newTrainer(args: TrainingOptions, options: object = {}) {
  const model = new TinyLanguageModel({ dropout: 0.2 });
  return new Trainer({ model, trainDataset, evalDataset, args: { ...ARGS, ...args }, reporter: false, ...options });
}

/** Ends a run after some steps, as an error in the process would. */
function failAfter(steps: number) {
  return {
    onStepEnd({ state }: { state: { globalStep: number } }) {
      if (state.globalStep === steps) throw new Error('power cut');
    },
  };
}

it('a folder that cannot be made ends the run before its first step', async () => {
  const file = join(temporaryFolder(), 'a-file');
  writeFileSync(file, '');
  const trainer = newTrainer({ outputDir: join(file, 'run') }, { callbacks: [failAfter(1)] });
  await expect(trainer.train()).rejects.toThrow(
    /^makeFolder: cannot make .+ it is not a folder, or a part of its path/,
  );
});

describe('promise 6: resume is resume', () => {
  it.each([5, 7, 9, 13])('ends bit for bit where the uninterrupted run does, after a stop at step %i', async (stop) => {
    const [whole, parts] = [temporaryFolder(), temporaryFolder()];
    const expected = newTrainer({ outputDir: whole });
    const straight = await expected.train();
    await expect(newTrainer({ outputDir: parts }, { callbacks: [failAfter(stop)] }).train()).rejects.toThrow(
      'power cut',
    );
    const resumed = newTrainer({ outputDir: parts, resumeFromCheckpoint: true });
    const result = await resumed.train();
    expect(await weightsOf(resumed.model)).toEqual(await weightsOf(expected.model));
    expect(readCheckpoint(join(parts, 'checkpoint-14'))).toEqual(readCheckpoint(join(whole, 'checkpoint-14')));
    expect(result).toMatchObject({ globalStep: 14, trainLoss: straight.trainLoss, metrics: straight.metrics });
  });

  it('resumes at the end of an epoch, grouped by length, under SGD with momentum', async () => {
    const train = async (outputDir: string, args: TrainingOptions, callbacks: object[]) => {
      const model = new TinyLanguageModel({ dropout: 0.2 });
      const optimizer = new SGD(model.namedParameters(), { lr: 0.05, momentum: 0.9 });
      const settings: TrainingOptions = {
        outputDir,
        groupByLength: true,
        saveStrategy: 'epoch',
        saveSteps: undefined,
        ...args,
      };
      await newTrainer(settings, { model, optimizer, callbacks }).train();
      optimizer.dispose();
      return weightsOf(model);
    };
    const [whole, parts] = [temporaryFolder(), temporaryFolder()];
    const expected = await train(whole, {}, []);
    await expect(train(parts, {}, [failAfter(12)])).rejects.toThrow('power cut');
    expect(await findLastCheckpoint(parts)).toBe(`${parts}/checkpoint-10`);
    expect(await train(parts, { resumeFromCheckpoint: true }, [])).toEqual(expected);
  });

  it("goes on with the checkpoint's learning rate, and says so where the argument is another", async () => {
    const outputDir = temporaryFolder();
    await newTrainer({ outputDir, maxSteps: 4 }).train();
    const lines: string[] = [];
    const reporter = lineReporter((text) => void lines.push(text));
    await newTrainer({ outputDir, resumeFromCheckpoint: true }, { reporter }).train();
    expect(lines.filter((line) => line.startsWith('learning rate'))).toEqual([]);
    await newTrainer({ outputDir, resumeFromCheckpoint: true, learningRate: 0.5 }, { reporter }).train();
    expect(lines).toContain('learning rate: 0.02, as in the checkpoint; learningRate 0.5 is for a new run');
  });

  it('writes a checkpoint again that is there already', async () => {
    const outputDir = temporaryFolder();
    await newTrainer({ outputDir }).train();
    const before = readCheckpoint(join(outputDir, 'checkpoint-14'));
    await newTrainer({ outputDir, resumeFromCheckpoint: join(outputDir, 'checkpoint-4') }).train();
    expect(readCheckpoint(join(outputDir, 'checkpoint-14'))).toEqual(before);
  });

  it('keeps generators that no module holds', async () => {
    const outputDir = temporaryFolder();
    const rng = new Generator(5);
    await newTrainer(
      { outputDir },
      { generators: { augment: rng }, callbacks: [{ onStepEnd: () => void rng.reserve(8) }] },
    ).train();
    const again = new Generator(5);
    await newTrainer({ outputDir, resumeFromCheckpoint: true }, { generators: { augment: again } }).train();
    expect(again.state).toEqual(rng.state);
  });
});

describe('a checkpoint that does not fit', () => {
  async function resumeWith(args: TrainingOptions, options: object = {}, change: (path: string) => void = () => {}) {
    const outputDir = temporaryFolder();
    await newTrainer({ outputDir, maxSteps: 4 }).train();
    change(join(outputDir, 'checkpoint-4'));
    return newTrainer({ outputDir, resumeFromCheckpoint: true, ...args }, options).train();
  }

  it('is refused where the place in the data would mean something else', async () => {
    await expect(resumeWith({ perDeviceTrainBatchSize: 4, seed: 1 })).rejects.toThrow(
      'the place in the data holds only for the same perDeviceTrainBatchSize (expected 2, got 4), seed (expected 42, got 1)',
    );
  });

  it('is refused where weights differ', async () => {
    const model = new TinyLanguageModel({ dropout: 0.2, width: 7 });
    await expect(resumeWith({}, { model })).rejects.toThrow(
      /embed_tokens.weight: expected F32 \[11,7\], got F32 \[11,6\]; resume with the model/,
    );
  });

  it('is refused where generators differ', async () => {
    class More extends TinyLanguageModel {
      readonly more = new Dropout(0, new Generator(1));
    }
    await expect(resumeWith({}, { model: new More({ dropout: 0.2 }) })).rejects.toThrow(
      'the checkpoint must have the random generators of this run: expected dropout.rng, more.rng, got dropout.rng',
    );
    const model = new TinyLanguageModel({ dropout: 0.2, seed: 9 });
    await expect(resumeWith({}, { model })).rejects.toThrow(
      'Trainer: generator dropout.rng: Generator: this state is of seed 1001',
    );
  });

  it('is refused where it is none, or of another version', async () => {
    await expect(resumeWith({ resumeFromCheckpoint: '/nowhere' })).rejects.toThrow(
      '/nowhere must be a checkpoint: expected trainer_state.json in it, got none',
    );
    await expect(newTrainer({ outputDir: temporaryFolder(), resumeFromCheckpoint: true }).train()).rejects.toThrow(
      'must hold a checkpoint: expected a whole folder checkpoint-<step>, got none; to start anew',
    );
    const older = (path: string) => writeFileSync(join(path, 'trainer_state.json'), '{"version": 0}');
    await expect(resumeWith({}, {}, older)).rejects.toThrow('version must be 1, got 0');
  });
});

describe('promise 12: best and last are kept', () => {
  it('never removes the best checkpoint, and removes old ones once the new one is whole', async () => {
    const outputDir = temporaryFolder();
    const losses = [5, 1, 4, 3, 2, 6, 7]; // of the evaluations: the second is the best
    const computeMetrics = () => ({ loss: losses.shift()! });
    const seen: string[][] = [];
    const saveExtra = async (folder: string) =>
      void seen.push(readdirSync(join(folder, '..')).filter((name) => name.startsWith('checkpoint-')));
    const args: TrainingOptions = {
      outputDir,
      saveTotalLimit: 1,
      evalSteps: 2,
      saveSteps: 2,
      metricForBestModel: 'score',
    };
    const scores = () => ({ score: computeMetrics().loss });
    const trainer = newTrainer({ ...args, greaterIsBetter: false }, { computeMetrics: scores, saveExtra });
    const { bestCheckpoint } = await trainer.train();
    expect(bestCheckpoint).toBe(`${outputDir}/checkpoint-4`);
    expect(readdirSync(outputDir).sort()).toEqual(['checkpoint-14', 'checkpoint-4']);
    expect(seen[1]).toEqual(['checkpoint-2']); // the old one is still there while the new one is written
    expect(seen[6]).toEqual(['checkpoint-12', 'checkpoint-4']);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY])('takes no evaluation of %d for the best', async (first) => {
    const scores = [first, 1, 3, 2];
    const args: TrainingOptions = {
      outputDir: temporaryFolder(),
      metricForBestModel: 'score',
      loadBestModelAtEnd: true,
    };
    const trainer = newTrainer(args, { computeMetrics: () => ({ score: scores.shift()! }) });
    expect((await trainer.train()).bestCheckpoint).toBe(`${args.outputDir}/checkpoint-12`);
  });

  it('keeps what it writes, and removes what an earlier run left at later steps', async () => {
    const outputDir = temporaryFolder();
    await newTrainer({ outputDir }).train();
    const resumeFromCheckpoint = `${outputDir}/checkpoint-4`;
    await newTrainer({ outputDir, resumeFromCheckpoint, maxSteps: 8, saveTotalLimit: 2 }).train();
    expect(readdirSync(outputDir).sort()).toEqual(['checkpoint-4', 'checkpoint-8']);
  });

  it('leaves folders alone that are named like a checkpoint and are none', async () => {
    const outputDir = temporaryFolder();
    mkdirSync(join(outputDir, 'checkpoint-1'));
    writeFileSync(join(outputDir, 'checkpoint-1', 'adapter_model.safetensors'), '');
    await newTrainer({ outputDir, saveTotalLimit: 1 }).train();
    expect(readdirSync(outputDir)).toContain('checkpoint-1');
  });

  it.each([false, true])('forgets a best checkpoint in another folder, one of the same name here %s', async (taken) => {
    const [first, outputDir] = [temporaryFolder(), temporaryFolder()];
    const settings = (scores: number[]) => ({ computeMetrics: () => ({ score: scores.shift()! }) });
    const args: TrainingOptions = { metricForBestModel: 'score', loadBestModelAtEnd: true };
    await newTrainer({ ...args, outputDir: first, maxSteps: 8 }, settings([3, 2])).train();
    if (taken) await newTrainer({ ...args, outputDir, maxSteps: 4 }, settings([9])).train();
    const resumeFromCheckpoint = `${first}/checkpoint-8`;
    const { bestCheckpoint } = await newTrainer({ ...args, outputDir, resumeFromCheckpoint }, settings([1, 2])).train();
    expect(bestCheckpoint).toBe(`${outputDir}/checkpoint-14`);
  });

  it('loads the best at the end only where that is asked for', async () => {
    const run = async (loadBestModelAtEnd: boolean) => {
      const scores = [1, 3, 2, 2];
      const computeMetrics = () => ({ score: scores.shift()! });
      const outputDir = temporaryFolder();
      const trainer = newTrainer({ outputDir, loadBestModelAtEnd, metricForBestModel: 'score' }, { computeMetrics });
      const { bestCheckpoint } = await trainer.train();
      expect(bestCheckpoint).toBe(`${outputDir}/checkpoint-8`);
      const model = new TinyLanguageModel({ dropout: 0.2 });
      await newTrainer({ outputDir, maxSteps: 8, resumeFromCheckpoint: bestCheckpoint! }, { model }).train();
      return { weights: await weightsOf(trainer.model), best: await weightsOf(model) };
    };
    const [loaded, left] = [await run(true), await run(false)];
    expect(loaded.weights).toEqual(loaded.best);
    expect(left.weights).not.toEqual(left.best);
  });

  it('stops early without loading or saving anything', async () => {
    const scores = [3, 2, 2.5, 2.2, 1, 1];
    const args: TrainingOptions = {
      saveStrategy: 'no',
      saveSteps: undefined,
      evalSteps: 2,
      earlyStoppingPatience: 2,
      metricForBestModel: 'score',
      greaterIsBetter: false,
    };
    const trainer = newTrainer(args, { computeMetrics: () => ({ score: scores.shift()! }) });
    expect(await trainer.train()).toMatchObject({ globalStep: 8, bestCheckpoint: null });
  });

  it('stops early with the weights of the last step, though there is a best checkpoint', async () => {
    const scores = [1, 2, 1, 1];
    const outputDir = temporaryFolder();
    const args: TrainingOptions = { evalSteps: 2, saveSteps: 2, earlyStoppingPatience: 2, metricForBestModel: 'score' };
    const trainer = newTrainer({ outputDir, ...args }, { computeMetrics: () => ({ score: scores.shift()! }) });
    const { globalStep, bestCheckpoint } = await trainer.train();
    expect({ globalStep, bestCheckpoint }).toEqual({ globalStep: 8, bestCheckpoint: `${outputDir}/checkpoint-4` });
    const model = new TinyLanguageModel({ dropout: 0.2 });
    await newTrainer({ outputDir, maxSteps: 8, resumeFromCheckpoint: true }, { model }).train();
    expect(await weightsOf(trainer.model)).toEqual(await weightsOf(model));
  });

  it('names the figures that there are where metricForBestModel is none of them', async () => {
    await expect(newTrainer({ outputDir: temporaryFolder(), metricForBestModel: 'f1' }).train()).rejects.toThrow(
      'metricForBestModel must be a figure of the evaluation: expected one of evalLoss, evalAccuracy, evalPerplexity, got f1',
    );
  });
});

describe('what is in a checkpoint', () => {
  it('is the trainable weights alone where others are frozen', async () => {
    const outputDir = temporaryFolder();
    const model = new TinyLanguageModel();
    model.embedTokens.requiresGrad_(false);
    await newTrainer({ outputDir, maxSteps: 4 }, { model }).train();
    const folder = join(outputDir, 'checkpoint-4');
    expect(readdirSync(folder).sort()).toEqual(['optimizer.safetensors', 'trained.safetensors', 'trainer_state.json']);
    const header = readFileSync(join(folder, 'trained.safetensors'), 'utf8');
    expect(header).toContain('hidden.weight');
    expect(header).not.toContain('embed_tokens');
  });

  it('is no weight in 4 bits, nor its scales, but running statistics', async () => {
    class Packed extends Module {
      readonly codes = buffer(tensor([1, 2], [2], { dtype: 'uint8' }));
      readonly absmax = buffer(tensor([0.5]));
    }
    class Quantized extends TinyLanguageModel {
      readonly frozen = new Packed();
      readonly mean = buffer(tensor([0.25]));
    }
    const outputDir = temporaryFolder();
    await newTrainer({ outputDir, maxSteps: 4 }, { model: new Quantized() }).train();
    const header = readFileSync(join(outputDir, 'checkpoint-4', 'model.safetensors'), 'latin1');
    expect(header).toContain('"mean"');
    expect(header).not.toMatch(/frozen/);
  });

  it('ignores what a killed process left, and folders that are no whole checkpoint', async () => {
    const outputDir = temporaryFolder();
    await newTrainer({ outputDir }).train();
    rmSync(join(outputDir, 'checkpoint-14', 'trainer_state.json'));
    expect(await findLastCheckpoint(outputDir)).toBe(`${outputDir}/checkpoint-12`);
    await newTrainer({ outputDir, maxSteps: 4, saveTotalLimit: 4 }).train();
    expect(readdirSync(outputDir).sort()).toEqual(['checkpoint-12', 'checkpoint-4', 'checkpoint-8']);
    expect(await findLastCheckpoint(join(outputDir, 'none'))).toBeNull();
    expect(await findLastCheckpoint(temporaryFolder())).toBeNull();
  });

  it('is as it was after a NaN stopped the run', async () => {
    const outputDir = temporaryFolder();
    const model = new TinyLanguageModel();
    const breakHidden = {
      onStepEnd: ({ state }: { state: { globalStep: number } }) =>
        void (state.globalStep === 5 && (model.hidden as Linear).weight.fill_(Number.NaN)),
    };
    await expect(newTrainer({ outputDir }, { model, callbacks: [breakHidden] }).train()).rejects.toThrow(
      `the step was not taken, the last good checkpoint is ${outputDir}/checkpoint-4`,
    );
    const fresh = new TinyLanguageModel();
    await newTrainer({ outputDir, maxSteps: 4, resumeFromCheckpoint: true }, { model: fresh }).train();
    expect(
      Object.values(await weightsOf(fresh))
        .flat()
        .every(Number.isFinite),
    ).toBe(true);
  });
});

it('clears what a killed process left of checkpoints, and nothing that others named so', async () => {
  const folder = temporaryFolder();
  for (const name of ['1', '2', '4', '5']) mkdirSync(`${folder}/checkpoint-${name}`);
  for (const file of ['2/optimizer.safetensors', '4/notes.txt', '5/trainer_state.json']) {
    writeFileSync(`${folder}/checkpoint-${file}`, '');
  }
  writeFileSync(`${folder}/checkpoint-3`, '');
  expect(await pruneCheckpoints(folder, 1, { newest: 'checkpoint-5', best: null })).toEqual([]);
  expect(readdirSync(folder).sort()).toEqual(['checkpoint-3', 'checkpoint-4', 'checkpoint-5']);
});
