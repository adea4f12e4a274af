import { DeviceError } from '../errors.js';

// The only file of the CPU device that knows Node, koffi and the names of libraries. Nothing is loaded before `openBlas`.

/**
 * `y = alpha · op(a) · op(b) + beta · y`, row-major float32; a, b and y are byte offsets. A row may be a part of a wider
 * one: `aWidth`, `bWidth` and `yWidth` are the elements from one stored row to the next.
 */
export interface Sgemm {
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly alpha: number;
  readonly a: number;
  readonly aWidth: number;
  readonly b: number;
  readonly bWidth: number;
  readonly beta: number;
  readonly y: number;
  readonly yWidth: number;
}

/** The system's BLAS: a library of machine code with the C interface of matrix products. */
export interface Blas {
  /** For people: `OpenBLAS`, or the path that was given. */
  readonly name: string;
  /** Runs one product over `memory`, without a copy. */
  sgemm(memory: ArrayBufferLike, product: Sgemm): void;
}

/** What is used of koffi (https://koffi.dev), which calls C functions from Node. */
interface Koffi {
  load(path: string): { func(prototype: string): (...args: number[]) => unknown };
  address(view: Uint8Array): bigint;
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

/** How each library is told its number of threads; the one that a library has is called. */
const SET_THREADS = [
  'void openblas_set_num_threads(int count)',
  'void bli_thread_set_num_threads(int64_t count)',
  'void MKL_Set_Num_Threads(int count)',
];

/**
 * Read by the libraries when they load, set where the person has not set them. OpenBLAS's threads would look for work
 * for 2²⁶ cycles after each product, on cores that our own threads want; Accelerate has no function for its threads.
 */
const SETTINGS = (threads: number) => ({ OPENBLAS_THREAD_TIMEOUT: '16', VECLIB_MAXIMUM_THREADS: String(threads) });

/** `BURIN_BLAS`: `auto` (also where it is not set, or there is no environment), `off`, or the library to load. */
export function blasChoice(): string {
  return globalThis.process?.env?.BURIN_BLAS || 'auto';
}

/**
 * Loads the library that `choice` names.
 *
 * @param choice - `auto`: one that this machine has, if koffi is installed; `off`: none; else a path or a file's name
 * @param threads - how many it may use, the caller included
 * @returns null where there is none to be had, or none is wanted
 * @throws DeviceError if a library is named and cannot be had
 */
export function openBlas(choice: string, threads: number): Blas | null {
  if (choice === 'off') return null;
  if (choice !== 'auto') return openNamed(choice, threads);
  const platform = globalThis.process?.platform;
  const candidates = platform ? (LIBRARIES[platform] ?? []) : [];
  if (candidates.length === 0) return null;
  try {
    const koffi = loadKoffi();
    for (const [name, file] of candidates) {
      const blas = attempt(() => open(koffi, name, file, threads));
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

function openNamed(file: string, threads: number): Blas {
  let koffi: Koffi;
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
    return open(koffi, file, file, threads);
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
function loadKoffi(): Koffi {
  const module = globalThis.process?.getBuiltinModule?.('node:module');
  if (!module) throw new Error('no Node');
  return module.createRequire(import.meta.url)('koffi') as Koffi;
}

/** @throws Error if it does not load, has no cblas_sgemm, or multiplies wrongly */
function open(koffi: Koffi, name: string, file: string, threads: number): Blas {
  const library = withSettings(SETTINGS(threads), () => koffi.load(file));
  const sgemm = library.func(SGEMM);
  setThreads(library, threads);
  const blas = new Cblas(name, koffi, sgemm);
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

function setThreads(library: Library, threads: number): void {
  for (const prototype of SET_THREADS) attempt(() => library.func(prototype))?.(threads);
}

class Cblas implements Blas {
  readonly name: string;
  readonly #koffi: Koffi;
  readonly #sgemm: (...args: number[]) => unknown;
  #memory: ArrayBufferLike | null = null; // the one that #base is the address of
  #base = 0;

  constructor(name: string, koffi: Koffi, sgemm: (...args: number[]) => unknown) {
    this.name = name;
    this.#koffi = koffi;
    this.#sgemm = sgemm;
  }

  sgemm(memory: ArrayBufferLike, product: Sgemm): void {
    const { m, n, k, alpha, a, aWidth, b, bWidth, beta, y, yWidth } = product;
    const base = this.#address(memory);
    const aKind = product.transposeA ? TRANSPOSED : PLAIN;
    const bKind = product.transposeB ? TRANSPOSED : PLAIN;
    this.#sgemm(ROW_MAJOR, aKind, bKind, m, n, k, alpha, base + a, aWidth, base + b, bWidth, beta, base + y, yWidth);
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
  const sizes = { m: 2, n: 2, k: 3, alpha: 2, beta: 1, a: 0, aWidth: 3, b: 24, bWidth: 3, y: 48, yWidth: 2 };
  blas.sgemm(values.buffer, { ...sizes, transposeA: false, transposeB: true });
  const expected = [15, 23, 33, 47]; // 2 · [1 2 3; 4 5 6] · [1 0; 0 1; 2 3] + 1
  const got = [...values.slice(12)];
  if (`${got}` !== `${expected}`) throw new Error(`its product is wrong: expected ${expected}, got ${got}`);
}
