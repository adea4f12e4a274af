import { readdirSync, readFileSync } from 'node:fs';
import { readSafetensors, type SafetensorsEntry } from './safetensors-reader.js';

/** One case of `fixtures/`: see the README there for the roles and tolerances of a manifest. */
export interface Fixture {
  readonly manifest: FixtureManifest;
  /** A number of the manifest's `config`, or an error that names it. */
  number(setting: string): number;
  /** A float tensor, or an error that names it. */
  floats(name: string): Float32Array;
  ints(name: string): Int32Array;
  bytes(name: string): Uint8Array;
  shape(name: string): readonly number[];
  has(name: string): boolean;
  /** What the manifest allows for an expected tensor. */
  tolerance(name: string): { rtol: number; atol: number };
}

interface FixtureTolerance {
  readonly atol?: number;
  readonly rtol?: number;
}

export interface FixtureManifest {
  readonly group: string;
  readonly name: string;
  readonly config: Record<string, unknown>;
  readonly files: { readonly tensors?: string };
  readonly tensors: Readonly<
    Record<string, { role: string; dtype: 'F32' | 'I32' | 'I64' | 'U8'; shape: number[]; tolerance?: FixtureTolerance }>
  >;
  readonly expected_values?: Record<string, unknown>;
}

const ROOT = new URL('../../../fixtures/', import.meta.url);

/** The names of the cases in a group. */
export function fixtureCases(group: string): string[] {
  return readdirSync(new URL(`${group}/`, ROOT)).sort();
}

/** Reads `fixtures/<group>/<name>`. */
export function readFixture(group: string, name: string): Fixture {
  const folder = new URL(`${group}/${name}/`, ROOT);
  const manifest = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as FixtureManifest;
  const file = manifest.files.tensors; // a case of texts alone has none
  const tensors = file ? readSafetensors(readFileSync(new URL(file, folder))) : new Map<string, SafetensorsEntry>();
  const get = <T extends SafetensorsEntry['data']>(key: string, kind: { new (): T; name: string }): T => {
    const data = tensors.get(key)?.data;
    if (data instanceof kind) return data;
    throw new Error(
      `fixture ${group}/${name}: expected ${key} as ${kind.name}, got ${data?.constructor.name ?? 'nothing'}`,
    );
  };
  return {
    manifest,
    number: (setting) => {
      const value = manifest.config[setting];
      if (typeof value === 'number') return value;
      throw new Error(`fixture ${group}/${name}: expected a number as config.${setting}, got ${value}`);
    },
    floats: (key) => get(key, Float32Array),
    ints: (key) => get(key, Int32Array),
    bytes: (key) => get(key, Uint8Array),
    shape: (key) => tensors.get(key)?.shape ?? [],
    has: (key) => tensors.has(key),
    tolerance: (key) => {
      const { atol = 0, rtol = 0 } = manifest.tensors[key]?.tolerance ?? {};
      return { atol, rtol };
    },
  };
}
