import { exists, listFolder } from '@burin/checkpoint';
import { Case, Unsupported } from './case.js';
import { compareCase } from './compare.js';
import { groups } from './groups/index.js';

export interface CaseResult {
  /** `group/case`, by the folders' names. */
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'unsupported';
  readonly maxAbsError: number | null;
  readonly maxRelError: number | null;
  /** Why it did not pass; empty where it did. */
  readonly message: string;
}

/** The cases of a folder, `group/case`, sorted: every folder in a folder of it. */
export async function listCases(dir: string, prefix: string): Promise<string[]> {
  const names: string[] = [];
  for (const group of await foldersIn(dir)) {
    for (const name of await foldersIn(`${dir}/${group}`)) names.push(`${group}/${name}`);
  }
  const wanted = names.filter((name) => name.startsWith(prefix));
  if (wanted.length > 0) return wanted;
  const there = names.length === 0 ? 'it holds none' : `its groups are ${[...new Set(names.map(groupOf))].join(', ')}`;
  throw new RangeError(`conformance: no case in ${dir}${prefix && ` begins with '${prefix}'`}: ${there}`);
}

/** Runs one case. Never throws: what goes wrong is its result. */
export async function runCase(dir: string, name: string): Promise<CaseResult> {
  const nothing = { maxAbsError: null, maxRelError: null };
  try {
    const { maxAbsError, maxRelError, failures } = await compare(`${dir}/${name}`);
    const status = failures.length === 0 ? 'passed' : 'failed';
    return { name, status, maxAbsError, maxRelError, message: summary(failures) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { name, status: error instanceof Unsupported ? 'unsupported' : 'failed', ...nothing, message };
  }
}

async function compare(folder: string) {
  const c = await Case.open(folder);
  try {
    const { group } = c.manifest;
    if (!Object.hasOwn(groups, group)) throw new Unsupported(`no package computes the group '${group}'`);
    return await compareCase(c, await groups[group]!(c));
  } finally {
    c.dispose();
  }
}

async function foldersIn(path: string): Promise<string[]> {
  const folders: string[] = [];
  for (const name of await listFolder(path)) {
    if (await exists(`${path}/${name}/.`)) folders.push(name);
  }
  return folders;
}

function groupOf(name: string): string {
  return name.slice(0, name.indexOf('/'));
}

const SHOWN = 3;

function summary(failures: readonly string[]): string {
  const rest = failures.length > SHOWN ? [`and ${failures.length - SHOWN} more`] : [];
  return [...failures.slice(0, SHOWN), ...rest].join('; ');
}
