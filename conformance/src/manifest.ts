import { readJsonFile } from '@burin/checkpoint';

/** How far a value may lie from what is expected: `|actual − expected| <= atol + rtol · |expected|`, or not at all. */
export interface Tolerance {
  readonly atol?: number;
  readonly rtol?: number;
  /** Equal; the manifest may say here in words after which mapping. */
  readonly exact?: boolean | string;
}

/** What the manifest says of one tensor of the case. */
export interface TensorEntry {
  readonly role: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly tolerance?: Tolerance;
}

/** `manifest.json` of a case; see fixtures/README.md. */
export interface Manifest {
  readonly group: string;
  readonly name: string;
  readonly config: Readonly<Record<string, unknown>>;
  readonly notes: readonly string[];
  readonly files: Readonly<Record<string, string>>;
  readonly tensors: Readonly<Record<string, TensorEntry>>;
  readonly expectedValues: Readonly<Record<string, unknown>>;
  readonly valueTolerances: Readonly<Record<string, Tolerance>>;
  /** By file, then by tensor. */
  readonly fileTolerances: Readonly<Record<string, Readonly<Record<string, Tolerance>>>>;
}

/** @throws CheckpointError if there is none or it is not JSON; TypeError if it lacks a group, a name or a configuration */
export async function readManifest(folder: string): Promise<Manifest> {
  const path = `${folder}/manifest.json`;
  const raw = (await readJsonFile(path)) as Record<string, unknown> | null;
  if (typeof raw?.group !== 'string' || typeof raw.name !== 'string' || !raw.config) {
    throw new TypeError(`${path}: expected a group, a name and a config`);
  }
  const table = (key: string) => (raw[key] ?? {}) as never;
  return {
    group: raw.group,
    name: raw.name,
    config: table('config'),
    notes: (raw.notes ?? []) as readonly string[],
    files: table('files'),
    tensors: table('tensors'),
    expectedValues: table('expected_values'),
    valueTolerances: table('expected_values_tolerance'),
    fileTolerances: table('file_tolerances'),
  };
}
