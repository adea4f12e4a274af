import { fileSource, readSafetensors, type TensorBytes } from '@burin/checkpoint';
import { Parameter } from '@burin/nn';
import { keep, type Tensor, tensor } from '@burin/tensor';
import { type HostTensor, hostTensor } from './host-tensor.js';
import { type Manifest, readManifest } from './manifest.js';
import { Settings } from './settings.js';

/** A case that needs what the packages do not have yet. It counts as a failure. */
export class Unsupported extends Error {
  override readonly name = 'Unsupported';
}

/** One case: its manifest and its tensors. Tensors that it hands out live until `dispose()`. */
export class Case {
  readonly folder: string;
  readonly manifest: Manifest;
  readonly config: Settings;
  readonly #stored: ReadonlyMap<string, HostTensor>;
  readonly #made: Tensor[] = [];

  private constructor(folder: string, manifest: Manifest, stored: ReadonlyMap<string, HostTensor>) {
    this.folder = folder;
    this.manifest = manifest;
    this.config = new Settings('config', manifest.config);
    this.#stored = stored;
  }

  /** @throws an error that says what is wrong if a file is damaged, or the tensors are not those that the manifest lists */
  static async open(folder: string): Promise<Case> {
    const manifest = await readManifest(folder);
    const file = manifest.files.tensors;
    const stored = file === undefined ? new Map<string, TensorBytes>() : await readEntries(`${folder}/${file}`);
    checkListed(manifest, stored);
    return new Case(folder, manifest, new Map([...stored].map(([name, bytes]) => [name, hostTensor(bytes)])));
  }

  has(name: string): boolean {
    return this.#stored.has(name);
  }

  host(name: string): HostTensor {
    const found = this.#stored.get(name);
    if (!found) throw new RangeError(`the case has no tensor '${name}': it has ${[...this.#stored.keys()].join(', ')}`);
    return found;
  }

  /** A new tensor on the device: float32, int32 or uint8. */
  tensor(name: string): Tensor {
    const { data, shape } = this.host(name);
    return this.own(keep(tensor(data, shape)));
  }

  /** The same for one whose gradient is wanted. */
  leaf(name: string): Tensor {
    const made = this.tensor(name);
    made.requiresGrad = true;
    return made;
  }

  parameter(name: string): Parameter {
    const { data, shape } = this.host(name);
    return this.own(new Parameter(tensor(data, shape)));
  }

  /** A mask as the packages take it: uint8, 1 is a real token. */
  mask(name: string): Tensor {
    const { data, shape } = this.host(name);
    return this.own(keep(tensor(Uint8Array.from(data), shape)));
  }

  /** Has a tensor freed with the case. */
  own<T extends Tensor>(made: T): T {
    this.#made.push(made);
    return made;
  }

  /** Another file of the case, by its key in the manifest's `files`. */
  path(key: string): string {
    const file = this.manifest.files[key];
    if (file === undefined) throw new RangeError(`the manifest lists no file '${key}'`);
    return `${this.folder}/${file}`;
  }

  /** A number that only the manifest's notes give: the first group of `pattern`. */
  noted(pattern: RegExp): number {
    const found = pattern.exec(this.manifest.notes.join('\n'))?.[1];
    if (found === undefined) throw new RangeError(`the manifest's notes say nothing like ${pattern}`);
    return Number(found);
  }

  dispose(): void {
    for (const made of this.#made) {
      made.zeroGrad();
      made.dispose();
    }
  }
}

/** All tensors of a safetensors file. */
export async function readFile(path: string): Promise<Map<string, HostTensor>> {
  return new Map([...(await readEntries(path))].map(([name, bytes]) => [name, hostTensor(bytes)]));
}

/** The same, as they are stored. */
export async function readEntries(path: string): Promise<ReadonlyMap<string, TensorBytes>> {
  const source = await fileSource(path);
  try {
    return readSafetensors(await source.read(0, source.size), path).tensors;
  } finally {
    await source.close?.();
  }
}

/** The manifest lists every tensor of the file, and no other, as it is stored. */
function checkListed({ tensors }: Manifest, stored: ReadonlyMap<string, TensorBytes>): void {
  for (const [name, { dtype, shape }] of Object.entries(tensors)) {
    const found = stored.get(name);
    const wanted = `${dtype} [${shape}]`;
    const got = found ? `${found.dtype} [${found.shape}]` : 'none';
    if (got !== wanted) throw new RangeError(`tensor ${name}: the manifest lists ${wanted}, the file has ${got}`);
  }
  const unlisted = [...stored.keys()].filter((name) => !Object.hasOwn(tensors, name));
  if (unlisted.length > 0) throw new RangeError(`the manifest does not list ${unlisted.join(', ')}`);
}
