import { DeviceError } from '../errors.js';

// The only file of the CPU device that knows Node, koffi and the names of libraries. Nothing is loaded before `openBlas`.

/**
 * `y = alpha · op(a) · op(b) + beta · y`, row-major float32, as a kernel asks for it: flags are 0 or 1; a, b and y are byte
 * offsets, signed. A row may be a part of a wider one: `aWidth`, `bWidth` and `yWidth` are the elements from one stored row
 * to the next.
 */
export type SgemmArguments = [
  transposeA: number,
  transposeB: number,
  m: number,
  n: number,
  k: number,
  alpha: number,
  a: number,
  aWidth: number,
  b: number,
  bWidth: number,
  beta: number,
  y: number,
  yWidth: number,
];

/** The system's BLAS: a library of machine code with the C interface of matrix products. */
export interface Blas {
  /** For people: `OpenBLAS`, or the path that was given. */
  readonly name: string;
  /** How a worker thread opens it: see blas-worker.node.ts. */
  readonly recipe: string;
  /** Runs one product over `memory` on the calling thread, without a copy. */
  sgemm(memory: ArrayBufferLike, ...product: SgemmArguments): void;
}

/** What is used of koffi (https://koffi.dev), which calls C functions from Node. */
interface Koffi {
  load(path: string): { func(prototype: string): (...args: number[]) => unknown };
  address(view: Uint8Array): bigint;
}

/** koffi, and the file that others may load it from. */
interface InstalledKoffi {
  readonly koffi: Koffi;
  readonly path: string;
}

type Library = ReturnType<Koffi['load']>;

const SGEMM =
  'void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, ' +
  'uintptr_t a, int lda, uintptr_t b, int ldb, float beta, uintptr_t c, int ldc)';
const ROW_MAJOR = 101; // cblas.h
const PLAIN = 111;
const TRANSPOSED = 112;

/** Where libraries lie, by platform; the first that loads and multiplies correctly is taken. */
const LIBRARIES: Readonly<Record<string, readonly (readonly [name: string, file: string])[]>> = {
  linux: [
    ['OpenBLAS', 'libopenblas.so.0'],
    ['OpenBLAS', 'libopenblas.so'],
    ['BLIS', 'libblis.so.4'],
    ['BLIS', 'libblis.so'],
    ['MKL', 'libmkl_rt.so.2'],
    ['MKL', 'libmkl_rt.so'],
  ],
  darwin: [
    ['Accelerate', '/System/Library/Frameworks/Accelerate.framework/Accelerate'],
    ['OpenBLAS', 'libopenblas.dylib'],
  ],
  win32: [
    ['OpenBLAS', 'libopenblas.dll'],
    ['OpenBLAS', 'openblas.dll'],
    ['MKL', 'mkl_rt.2.dll'],
  ],
};

/**
 * How each library is told its number of threads; those that a library has are called, with 1: our own threads call it, each
 * with a part of the work. Two pools on the same cores wait for each other: 256 x 256 x 256 ran at 190 GFLOP/s on the two
 * threads of OpenBLAS, and at 253 on two of ours.
 */
const SET_THREADS = [
  'void openblas_set_num_threads(int count)',
  'void bli_thread_set_num_threads(int64_t count)',
  'void MKL_Set_Num_Threads(int count)',
];

/** The same, read by the libraries when they load: so OpenBLAS starts none, and Accelerate has no function for it. */
const SETTINGS = { OPENBLAS_NUM_THREADS: '1', VECLIB_MAXIMUM_THREADS: '1' };

/** `BURIN_BLAS`: `auto` (also where it is not set, or there is no environment), `off`, or the library to load. */
export function blasChoice(): string {
  return globalThis.process?.env?.BURIN_BLAS || 'auto';
}

/**
 * Loads the library that `choice` names.
 *
 * @param choice - `auto`: one that this machine has, if koffi is installed; `off`: none; else a path or a file's name
 * @returns null where there is none to be had, or none is wanted
 * @throws DeviceError if a library is named and cannot be had
 */
export function openBlas(choice: string): Blas | null {
  if (choice === 'off') return null;
  if (choice !== 'auto') return openNamed(choice);
  const platform = globalThis.process?.platform;
  const candidates = platform ? (LIBRARIES[platform] ?? []) : [];
  if (candidates.length === 0) return null;
  try {
    const koffi = loadKoffi();
    for (const [name, file] of candidates) {
      const blas = attempt(() => open(koffi, name, file));
      if (blas) return blas;
    }
  } catch {
    // without koffi our own kernels do the work
  }
  return null;
}

function attempt<T>(body: () => T): T | null {
  try {
    return body();
  } catch {
    return null;
  }
}

function openNamed(file: string): Blas {
  let koffi: InstalledKoffi;
  try {
    koffi = loadKoffi();
  } catch (cause) {
    throw new DeviceError(
      `cpu: the BLAS ${file} takes the package koffi to load: expected it to be installed, got ${reason(cause)}; ` +
        'npm install koffi, or set BURIN_BLAS=off',
      { cause },
    );
  }
  try {
    return open(koffi, file, file);
  } catch (cause) {
    throw new DeviceError(
      `cpu: BURIN_BLAS must be auto, off, or a library that has cblas_sgemm: got ${file}: ${reason(cause)}`,
      { cause },
    );
  }
}

function reason(cause: unknown): string {
  return (cause instanceof Error ? cause.message : String(cause)).split('\n')[0]!;
}

/** @throws Error if this is not Node, or koffi is not installed */
function loadKoffi(): InstalledKoffi {
  const module = globalThis.process?.getBuiltinModule?.('node:module');
  if (!module) throw new Error('no Node');
  const require = module.createRequire(import.meta.url);
  return { koffi: require('koffi') as Koffi, path: require.resolve('koffi') };
}

/** @throws Error if it does not load, has no cblas_sgemm, is not for several threads, or multiplies wrongly */
function open({ koffi, path }: InstalledKoffi, name: string, file: string): Blas {
  const library = withSettings(SETTINGS, () => koffi.load(file));
  const sgemm = library.func(SGEMM);
  checkLocks(library);
  const setThreads = SET_THREADS.filter((prototype) => setOneThread(library, prototype));
  const recipe = JSON.stringify({ koffi: path, file, sgemm: SGEMM, setThreads });
  const blas = new Cblas(name, recipe, koffi, sgemm);
  check(blas);
  return blas;
}

function withSettings<T>(settings: Readonly<Record<string, string>>, body: () => T): T {
  const { env } = globalThis.process;
  const missing = Object.entries(settings).filter(([key]) => env[key] === undefined);
  for (const [key, value] of missing) env[key] = value;
  try {
    return body();
  } finally {
    for (const [key] of missing) delete env[key];
  }
}

/** Returns whether the library has such a function. */
function setOneThread(library: Library, prototype: string): boolean {
  const setThreads = attempt(() => library.func(prototype));
  setThreads?.(1);
  return setThreads !== null;
}

/**
 * An OpenBLAS that was built without threads packs the operands of all callers into the same memory, and products of two
 * threads at once are wrong. Built with USE_LOCKING it would not, but no function tells.
 */
function checkLocks(library: Library): void {
  const threading = attempt(() => library.func('int openblas_get_parallel()'));
  if (threading?.() !== 0) return;
  throw new Error(
    'an OpenBLAS built without threads multiplies wrongly when several threads call it; install one with threads ' +
      '(libopenblas0-pthread in Debian)',
  );
}

class Cblas implements Blas {
  readonly name: string;
  readonly recipe: string;
  readonly #koffi: Koffi;
  readonly #sgemm: (...args: number[]) => unknown;
  #memory: ArrayBufferLike | null = null; // the one that #base is the address of
  #base = 0;

  constructor(name: string, recipe: string, koffi: Koffi, sgemm: (...args: number[]) => unknown) {
    this.name = name;
    this.recipe = recipe;
    this.#koffi = koffi;
    this.#sgemm = sgemm;
  }

  sgemm(memory: ArrayBufferLike, ...product: SgemmArguments): void {
    const [transposeA, transposeB, m, n, k, alpha, a, aWidth, b, bWidth, beta, y, yWidth] = product;
    const base = this.#address(memory);
    const [aKind, bKind] = [transposeA ? TRANSPOSED : PLAIN, transposeB ? TRANSPOSED : PLAIN];
    const [aAt, bAt, yAt] = [base + (a >>> 0), base + (b >>> 0), base + (y >>> 0)];
    this.#sgemm(ROW_MAJOR, aKind, bKind, m, n, k, alpha, aAt, aWidth, bAt, bWidth, beta, yAt, yWidth);
  }

  /** A memory that grows has a new buffer, and may have moved. Addresses have 47 bits: a number holds them. */
  #address(memory: ArrayBufferLike): number {
    if (memory !== this.#memory) {
      this.#base = Number(this.#koffi.address(new Uint8Array(memory)));
      this.#memory = memory;
    }
    return this.#base;
  }
}

/** A library that is broken, or counts in integers of another width, must show here and not in somebody's gradients. */
function check(blas: Blas): void {
  const values = new Float32Array([1, 2, 3, 4, 5, 6, /* b: */ 1, 0, 2, 0, 1, 3, /* y: */ 1, 1, 1, 1]);
  const [m, n, k] = [2, 2, 3];
  blas.sgemm(values.buffer, 0, 1, m, n, k, 2, 0, k, 24, k, 1, 48, n);
  const expected = [15, 23, 33, 47]; // 2 · [1 2 3; 4 5 6] · [1 0; 0 1; 2 3] + 1
  const got = [...values.slice(12)];
  if (`${got}` !== `${expected}`) throw new Error(`its product is wrong: expected ${expected}, got ${got}`);
}
