import { exists, listFolder, recoverFolder, removeFolder } from '@burin/checkpoint';
import { OPTIMIZER_FILE, STATE_FILE } from './checkpoint.js';

const NAME = /^checkpoint-(\d+)$/;

export function checkpointName(step: number): string {
  return `checkpoint-${step}`;
}

/**
 * Names of the checkpoints in a folder, by step: those that are whole, and what is left of some being removed. Folders that
 * others named so are neither.
 */
async function listCheckpoints(folder: string): Promise<{ whole: string[]; partial: string[] }> {
  const names = (await listFolder(folder)).filter((name) => NAME.test(name));
  const [whole, partial]: [string[], string[]] = [[], []];
  for (const name of names) {
    if (await exists(`${folder}/${name}/${STATE_FILE}`)) whole.push(name);
    else if (await isLeft(`${folder}/${name}`)) partial.push(name);
  }
  return { whole: whole.sort((a, b) => stepOf(a) - stepOf(b)), partial };
}

/** Whether a folder is what {@link removeCheckpoint} leaves where it is killed. */
async function isLeft(path: string): Promise<boolean> {
  if (await exists(`${path}/${OPTIMIZER_FILE}`)) return true;
  return (await exists(`${path}/.`)) && (await listFolder(path)).length === 0; // a file is no folder
}

/** Removes first what makes it a checkpoint, and last what tells that it was one. */
async function removeCheckpoint(path: string): Promise<void> {
  const others = (await listFolder(path)).filter((file) => file !== OPTIMIZER_FILE);
  for (const file of [STATE_FILE, ...others]) await removeFolder(`${path}/${file}`);
  await removeFolder(path);
}

function stepOf(name: string): number {
  return Number(NAME.exec(name)?.[1]);
}

/**
 * Path of the last whole checkpoint in `folder`, or null. What a killed process left half-written is cleared away.
 *
 * @example
 * const last = await findLastCheckpoint('runs/a');
 * const trainer = new Trainer({ model, trainDataset, args: { ...args, resumeFromCheckpoint: last ?? false } });
 */
export async function findLastCheckpoint(folder: string): Promise<string | null> {
  if (!(await exists(folder))) return null;
  await recoverFolder(folder);
  const last = (await listCheckpoints(folder)).whole.at(-1);
  return last === undefined ? null : `${folder}/${last}`;
}

/**
 * Removes the oldest checkpoints until `limit` are left, but never the newest, nor the best, which is kept besides. Those of
 * later steps than the newest are of an earlier run, and go first.
 *
 * @returns the names that were removed
 */
export async function pruneCheckpoints(
  folder: string,
  limit: number,
  { newest, best }: { newest: string; best: string | null },
): Promise<string[]> {
  const { whole, partial } = await listCheckpoints(folder);
  const isLater = (name: string) => stepOf(name) > stepOf(newest);
  const byAge = [...whole.filter(isLater), ...whole.filter((name) => !isLater(name))];
  const old = byAge.slice(0, Math.max(0, byAge.length - limit)).filter((name) => name !== best);
  for (const name of [...old, ...partial]) await removeCheckpoint(`${folder}/${name}`);
  return old;
}
