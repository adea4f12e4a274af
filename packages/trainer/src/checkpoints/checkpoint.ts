import {
  CheckpointError,
  exists,
  fileSource,
  openSafetensors,
  readJsonFile,
  type SafetensorsFile,
  writeFileAtomic,
  writeFolderAtomic,
  writeSafetensorsFile,
} from '@burin/checkpoint';
import { type Module, storedTensors } from '@burin/nn';
import type { SchedulerState } from '@burin/optim-paged';
import type { GeneratorState } from '@burin/tensor';
import type { DataSettings } from '../data/feed.js';
import type { OptimizerSnapshot } from '../optimizer.js';
import type { TrainerState } from '../state.js';
import { joinOptimizerState, type OptimizerIndex, splitOptimizerState } from './optimizer-state.js';
import { readInto, trainedTensors } from './tensors.js';

/** Of a checkpoint's files, the one that makes it one. */
export const STATE_FILE = 'trainer_state.json';
export const OPTIMIZER_FILE = 'optimizer.safetensors';
const WHOLE_MODEL_FILE = 'model.safetensors';
const TRAINED_FILE = 'trained.safetensors'; // where some parameters are frozen: no other program should take it for a model
const VERSION = 1;

/** A run at rest, but for the weights, which are the model's. */
export interface RunSnapshot {
  readonly state: TrainerState;
  readonly data: DataSettings;
  readonly scheduler: SchedulerState;
  readonly generators: Readonly<Record<string, GeneratorState>>;
  readonly optimizer: OptimizerSnapshot;
}

interface StateFile extends Omit<RunSnapshot, 'optimizer'> {
  readonly version: number;
  readonly optimizer: OptimizerIndex;
}

/**
 * Writes a checkpoint whole or not at all.
 *
 * @param extra - writes more files into the folder, before it gets its name
 */
export async function writeCheckpointFolder(
  path: string,
  model: Module,
  snapshot: RunSnapshot,
  extra?: (folder: string) => Promise<void>,
): Promise<void> {
  const { index, tensors } = splitOptimizerState(snapshot.optimizer);
  const state: StateFile = { version: VERSION, ...snapshot, optimizer: index };
  await writeFolderAtomic(
    path,
    async (folder) => {
      await writeSafetensorsFile(`${folder}/${weightsFile(model)}`, storedTensors(trainedTensors(model)), {
        format: 'pt',
      });
      await writeSafetensorsFile(`${folder}/${OPTIMIZER_FILE}`, tensors);
      await extra?.(folder);
      await writeFileAtomic(`${folder}/${STATE_FILE}`, `${JSON.stringify(state, null, 2)}\n`);
    },
    { replace: true }, // a run that went back to an earlier checkpoint comes by the same step again
  );
}

/** Reads a checkpoint's weights into the model. @throws CheckpointError if it is not this model's */
export async function loadWeights(path: string, model: Module): Promise<void> {
  await withFile(`${path}/${weightsFile(model)}`, (file) => readInto(file, trainedTensors(model)));
}

/** Reads all but the weights. @throws CheckpointError if the folder is no checkpoint, or of another version */
export async function readSnapshot(path: string): Promise<RunSnapshot> {
  const { optimizer: index, state, data, scheduler, generators } = await readStateFile(path);
  const optimizer = await withFile(`${path}/${OPTIMIZER_FILE}`, (file) => joinOptimizerState(index, file));
  return { state, data, scheduler, generators, optimizer };
}

/** Where the run was. @throws CheckpointError as `readSnapshot` */
export async function readState(path: string): Promise<TrainerState> {
  return (await readStateFile(path)).state;
}

async function readStateFile(path: string): Promise<StateFile> {
  if (!(await exists(`${path}/${STATE_FILE}`))) {
    throw new CheckpointError(
      `resumeFromCheckpoint: ${path} must be a checkpoint: expected ${STATE_FILE} in it, got none`,
    );
  }
  const raw = await readJsonFile(`${path}/${STATE_FILE}`);
  const version = (raw as Partial<StateFile> | null)?.version;
  if (version !== VERSION) {
    throw new CheckpointError(`${path}/${STATE_FILE}: version must be ${VERSION}, got ${String(version)}`);
  }
  return raw as StateFile;
}

/** @throws RangeError naming each setting that differs from the first run's */
export function checkDataSettings(path: string, saved: DataSettings, now: DataSettings): void {
  const different = Object.keys(now).filter((name) => saved[name] !== now[name]);
  if (different.length === 0) return;
  const list = different.map((name) => `${name} (expected ${saved[name]}, got ${now[name]})`).join(', ');
  throw new RangeError(`resumeFromCheckpoint: ${path}: the place in the data holds only for the same ${list}`);
}

function weightsFile(model: Module): string {
  return model.parameters().every(({ requiresGrad }) => requiresGrad) ? WHOLE_MODEL_FILE : TRAINED_FILE;
}

async function withFile<T>(path: string, use: (file: SafetensorsFile) => Promise<T>): Promise<T> {
  const file = await openSafetensors(await fileSource(path));
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}
