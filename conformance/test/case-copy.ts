import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readSafetensors } from '@burin/checkpoint';

export const FIXTURES = fileURLToPath(new URL('../../fixtures', import.meta.url));

/** manifest.json as it is written. */
export interface RawManifest {
  group: string;
  config: Record<string, unknown>;
  files: Record<string, string>;
  tensors: Record<string, { role: string; dtype: string; shape: number[]; tolerance?: object }>;
  expected_values?: Record<string, unknown>;
  expected_values_tolerance?: Record<string, object>;
  file_tolerances?: Record<string, Record<string, object>>;
}

/** A copy of one case, in a folder of the layout of `fixtures/`, that a test may damage. */
export class CaseCopy {
  readonly dir: string;
  readonly name: string;
  readonly folder: string;

  /** @param as - `group/case` of the copy; default: as it was */
  constructor(name: string, as = name) {
    this.dir = mkdtempSync(join(tmpdir(), 'burin-conformance-test-'));
    this.name = as;
    this.folder = join(this.dir, as);
    cpSync(join(FIXTURES, name), this.folder, { recursive: true });
  }

  /** Changes a JSON file of the case in place. */
  editJson<T = RawManifest>(file: string, edit: (content: T) => void): void {
    const path = join(this.folder, file);
    const content = JSON.parse(readFileSync(path, 'utf8')) as T;
    edit(content);
    writeFileSync(path, JSON.stringify(content));
  }

  get manifest(): RawManifest {
    return JSON.parse(readFileSync(join(this.folder, 'manifest.json'), 'utf8')) as RawManifest;
  }

  /** Names of the tensors in one of its files. */
  tensors(file = 'tensors.safetensors'): string[] {
    return [...readSafetensors(readFileSync(join(this.folder, file))).tensors.keys()];
  }

  /** Changes a tensor clearly: every element, or one. Whole numbers stay in the range of labels, ids and masks. */
  corrupt(tensor: string, { file = 'tensors.safetensors', element }: { file?: string; element?: number } = {}): void {
    const path = join(this.folder, file);
    const bytes = new Uint8Array(readFileSync(path));
    const { dtype, data } = readSafetensors(bytes).tensors.get(tensor)!;
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    const width = dtype === 'U8' ? 1 : 4;
    for (let i = element ?? 0; i < (element === undefined ? data.length / width : element + 1); i++) {
      if (dtype === 'F32') view.setFloat32(i * 4, otherNumber(view.getFloat32(i * 4, true)), true);
      else if (dtype === 'I32') view.setInt32(i * 4, otherWhole(view.getInt32(i * 4, true)), true);
      else data[i]! ^= 1;
    }
    writeFileSync(path, bytes);
  }

  remove(): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}

function otherNumber(value: number): number {
  return Number.isFinite(value) ? value * 1.25 + 0.5 : 0;
}

function otherWhole(value: number): number {
  return value > 0 ? value - 1 : 1;
}
