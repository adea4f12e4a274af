import { CheckpointError, exists, makeFolder } from '@burin/checkpoint';
import type { LearningRateScheduler } from '@burin/optim-paged';
import type { Generator } from '@burin/tensor';
import type { TrainingArguments } from '../arguments.js';
import { noteCheckpoint } from '../best.js';
import type { DataSettings } from '../data/feed.js';
import { generatorStates, restoreGenerators } from '../generators.js';
import type { TrainableModel } from '../model.js';
import type { TrainerOptimizer } from '../optimizer.js';
import type { BestCheckpoint, TrainerState } from '../state.js';
import {
  checkDataSettings,
  loadWeights,
  readSnapshot,
  readState,
  STATE_FILE,
  writeCheckpointFolder,
} from './checkpoint.js';
import { checkpointName, findLastCheckpoint, pruneCheckpoints } from './folders.js';

/** What a checkpoint is made of. */
export interface KeptParts {
  readonly model: TrainableModel;
  readonly args: TrainingArguments;
  readonly optimizer: TrainerOptimizer;
  readonly scheduler: LearningRateScheduler;
  readonly generators: ReadonlyMap<string, Generator>;
  readonly data: DataSettings;
  readonly saveExtra: ((folder: string) => Promise<void>) | undefined;
}

/** Writes a run's checkpoints, and takes one up again. */
export class CheckpointKeeper {
  /** Path of the last one that is whole: written, or resumed from. */
  last: string | null = null;
  readonly #parts: KeptParts;

  constructor(parts: KeptParts) {
    this.#parts = parts;
  }

  /** Makes the folder, where the run is to save: one that cannot be made is found before the work and not after it. */
  async prepare(): Promise<void> {
    const { saveStrategy, outputDir } = this.#parts.args;
    if (saveStrategy !== 'no') await makeFolder(outputDir);
  }

  /** Writes one of this moment; old ones are removed once it is whole. @returns its path */
  async save(state: TrainerState): Promise<string> {
    const { model, args, optimizer, scheduler, generators, data, saveExtra } = this.#parts;
    if (args.outputDir === '') {
      throw new RangeError('Trainer: a checkpoint was asked for, and there is no folder to write it to; set outputDir');
    }
    const name = checkpointName(state.globalStep);
    const path = `${args.outputDir}/${name}`;
    await makeFolder(args.outputDir);
    noteCheckpoint(state, name, args);
    const snapshot = {
      state,
      data,
      scheduler: scheduler.stateDict(),
      generators: generatorStates(generators),
      optimizer: await optimizer.stateDict(),
    };
    await writeCheckpointFolder(path, model, snapshot, saveExtra);
    this.last = path;
    if (args.saveTotalLimit !== null) {
      const best = state.bestCheckpoint?.name ?? null;
      await pruneCheckpoints(args.outputDir, args.saveTotalLimit, { newest: name, best });
    }
    return path;
  }

  /**
   * Puts everything back to where a checkpoint was written, if the arguments ask for it.
   *
   * @returns the state to go on from, or null if the run starts at its beginning
   * @throws CheckpointError if there is none, or it is of another model; RangeError if it is of other data or generators
   */
  async resume(): Promise<TrainerState | null> {
    const { model, optimizer, scheduler, generators, data } = this.#parts;
    const path = await this.#pathToResume();
    if (path === null) return null;
    const snapshot = await readSnapshot(path);
    checkDataSettings(path, snapshot.data, data);
    restoreGenerators(generators, snapshot.generators);
    await loadWeights(path, model);
    optimizer.loadStateDict(snapshot.optimizer);
    scheduler.loadStateDict(snapshot.scheduler);
    this.last = path;
    return { ...snapshot.state, bestCheckpoint: await this.#bestHere(snapshot.state) };
  }

  /** Goes back to the weights of the best checkpoint. @returns its path, or null if there is none */
  async loadBest({ bestCheckpoint }: TrainerState): Promise<string | null> {
    const path = this.pathOf(bestCheckpoint?.name);
    if (path !== null) await loadWeights(path, this.#parts.model);
    return path;
  }

  pathOf(name: string | undefined): string | null {
    return name === undefined ? null : `${this.#parts.args.outputDir}/${name}`;
  }

  /** The best checkpoint so far, if it is in `outputDir`: a run that goes on in another folder leaves it behind. */
  async #bestHere({ bestCheckpoint: best }: TrainerState): Promise<BestCheckpoint | null> {
    const path = this.pathOf(best?.name);
    if (best === null || !(await exists(`${path}/${STATE_FILE}`))) return null;
    const { bestCheckpoint: own } = await readState(path!);
    return own?.name === best.name && own.metric === best.metric ? best : null; // else another run's
  }

  async #pathToResume(): Promise<string | null> {
    const { outputDir, resumeFromCheckpoint } = this.#parts.args;
    if (resumeFromCheckpoint === false) return null;
    if (typeof resumeFromCheckpoint === 'string') return resumeFromCheckpoint;
    const last = await findLastCheckpoint(outputDir);
    if (last !== null) return last;
    throw new CheckpointError(
      `resumeFromCheckpoint: ${outputDir} must hold a checkpoint: expected a whole folder checkpoint-<step>, got none; ` +
        'to start anew where there is none, pass (await findLastCheckpoint(outputDir)) ?? false',
    );
  }
}
