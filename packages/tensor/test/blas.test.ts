import { afterEach, describe, expect, it, vi } from 'vitest';
import { blasSource, fitsBlas, runBlas } from '../src/cpu/blas.js';
import { type Blas, blasChoice, openBlas } from '../src/cpu/blas.node.js';
import { CpuDevice } from '../src/cpu/index.js';
import { quantizationKernels } from '../src/cpu/quantization.js';
import type { DeviceBuffer } from '../src/device.js';
import type { MatmulArguments } from '../src/kernels/matmul.js';
import type { FourBitWeight, QuantizationKernels } from '../src/kernels/quantization.js';

/** Sums of up to 130 products of numbers below 1: their last bit is worth 1.5e-5, and the order of the terms differs. */
const ATOL = 6e-5;
/** Sums of up to 40000 such products. */
const LONG_SUMS = 2e-2;
const M = 8;
const found = openBlas('auto');
const device = new CpuDevice({ blas: 'off' });

function buffer(length: number): DeviceBuffer {
  const made = device.memory.allocate(4 * length);
  const values = Float32Array.from({ length }, (_, i) => Math.fround(Math.sin(i * 12.9898 + length) % 1));
  device.write(made, new Uint8Array(values.buffer));
  return made;
}

function values(of: DeviceBuffer): Float32Array {
  return new Float32Array(device.readNow(of).slice().buffer);
}

function product(sizes: Pick<MatmulArguments, 'm' | 'n' | 'k'>, more: Partial<MatmulArguments> = {}): MatmulArguments {
  const { m, n, k } = sizes;
  const batch = more.batch ?? 1;
  const plain = { transposeA: false, transposeB: false, alpha: 1, accumulate: false, bias: null };
  const strides = { aStride: batch > 1 ? m * k : 0, bStride: batch > 1 ? k * n : 0 };
  const operands = { a: buffer(batch * m * k), b: buffer(batch * k * n), y: buffer(batch * m * n) };
  return { ...operands, bDtype: 'float32', batch, ...sizes, ...plain, ...strides, ...more };
}

/** Runs a product by our kernels and by the library, from the same start. */
function expectSame(blas: Blas, args: MatmulArguments): void {
  const start = device.readNow(args.y);
  device.kernels.matmul(args);
  const ours = values(args.y);
  device.write(args.y, start);
  runBlas(blas, device.engine, args);
  const theirs = values(args.y);
  const worst = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i]!)), 0);
  expect(worst).toBeLessThan(ATOL);
  expect(theirs.every(Number.isFinite)).toBe(true);
}

describe.skipIf(!found)(`products by ${found?.name ?? 'a BLAS (none is installed here)'}`, () => {
  const sizes = [
    { m: 1, n: 1, k: 1 },
    { m: 3, n: 5, k: 7 },
    { m: 64, n: 8, k: 130 },
    { m: 33, n: 65, k: 96 },
  ];
  const transposes = [false, true].flatMap((transposeA) =>
    [false, true].map((transposeB) => ({ transposeA, transposeB })),
  );

  it.each(transposes)('equal those of our kernels: $transposeA, $transposeB', (options) => {
    for (const size of sizes) {
      expectSame(found!, product(size, options));
      expectSame(found!, product(size, { ...options, batch: 3 }));
    }
  });

  it('share an operand in a batch', () => {
    expectSame(found!, product(sizes[3]!, { batch: 3, aStride: 0 }));
    expectSame(found!, product(sizes[3]!, { batch: 3, bStride: 0, transposeB: true }));
  });

  it('scale, accumulate and add a bias', () => {
    for (const [i, size] of sizes.entries()) {
      expectSame(found!, product(size, { alpha: -0.5, accumulate: true }));
      expectSame(found!, product(size, { alpha: 2, bias: buffer(size.n), batch: 1 + (i % 3) }));
    }
  });

  it('are right after the memory has grown', () => {
    const args = product({ m: 20, n: 30, k: 40 });
    expectSame(found!, args);
    const { buffer: before } = device.engine.memory;
    const large = device.memory.allocate(2 ** 28);
    expect(device.engine.memory.buffer).not.toBe(before);
    expectSame(found!, args);
    device.memory.free(large);
  });

  it.each([64, 96])('of 4-bit weights with rows of %i equal those of our kernels', (inFeatures) => {
    // more rows than a panel holds, and a last panel of another length
    const outFeatures = Math.floor((2.5 * 2 ** 20) / inFeatures);
    const weight = quantized(outFeatures, inFeatures);
    const withBlas = quantizationKernels(device.engine, { get: () => found });
    for (const transpose of [false, true]) {
      for (const [bias, accumulate] of [
        [null, false],
        [null, true],
        [transpose ? null : buffer(outFeatures), false],
      ] as const) {
        const [from, to] = transpose ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
        const [x, y] = [buffer(M * from), buffer(M * to)];
        const start = device.readNow(y);
        const run = ({ matmul4bit }: Pick<QuantizationKernels, 'matmul4bit'>) => {
          device.write(y, start);
          matmul4bit(x, weight, bias, y, M, outFeatures, inFeatures, transpose, accumulate);
          return values(y);
        };
        const [ours, theirs] = [run(device.kernels), run(withBlas)];
        const worst = ours.reduce((most, value, i) => Math.max(most, Math.abs(value - theirs[i]!)), 0);
        expect(worst).toBeLessThan(transpose ? LONG_SUMS : ATOL);
        for (const used of [x, y]) device.memory.free(used);
      }
    }
  });

  it('are used for large ones, and the device says so', () => {
    const withBlas = new CpuDevice({ blas: 'auto' });
    expect(withBlas.describe()).toContain(`; large products: ${found!.name})`);
    const sgemm = vi.spyOn(Object.getPrototypeOf(found!), 'sgemm');
    multiply(withBlas, 32);
    expect(sgemm).not.toHaveBeenCalled();
    multiply(withBlas, 64);
    expect(sgemm).toHaveBeenCalledTimes(1);
    multiply(device, 64);
    expect(sgemm).toHaveBeenCalledTimes(1);
    sgemm.mockRestore();
  });
});

/** A weight in NF4 with blocks of 64. */
function quantized(rows: number, cols: number): FourBitWeight {
  const size = rows * cols;
  const [x, packed, absmax] = [buffer(size), device.memory.allocate(size / 2), device.memory.allocate((4 * size) / 64)];
  device.kernels.quantize4bit('nf4', x, packed, absmax, size, 64);
  device.memory.free(x);
  const nothing = { absmaxCodes: null, nestedAbsmax: null, nestedCode: null, nestedOffset: 0, nestedBlockSize: 0 };
  return { type: 'nf4', packed, size, blockSize: 64, absmax, ...nothing };
}

function multiply(on: CpuDevice, size: number): void {
  const [a, b, y] = [0, 1, 2].map(() => on.memory.allocate(4 * size * size)) as [
    DeviceBuffer,
    DeviceBuffer,
    DeviceBuffer,
  ];
  on.kernels.matmul({ ...product({ m: size, n: size, k: size }), a, b, y });
}

describe('the choice of products', () => {
  const large = { m: 64, n: 64, k: 64 };

  it('takes those of float32 that are large on all sides', () => {
    expect(fitsBlas(product(large))).toBe(true);
    expect(fitsBlas(product({ m: 1024, n: 8, k: 512 }))).toBe(true);
    expect(fitsBlas(product({ m: 63, n: 64, k: 64 }))).toBe(false);
    expect(fitsBlas(product({ m: 1, n: 1024, k: 512 }))).toBe(false);
  });

  it('takes a bias or an accumulation, not both', () => {
    const bias = buffer(64);
    expect(fitsBlas(product(large, { bias }))).toBe(true);
    expect(fitsBlas(product(large, { accumulate: true }))).toBe(true);
    expect(fitsBlas(product(large, { bias, accumulate: true }))).toBe(false);
  });
});

/** A library that `load` gives where there is `file`, with the functions named. */
function fakeKoffi(file: string, functions: Record<string, (...args: number[]) => unknown>) {
  const nameOf = (prototype: string) => /(\w+)\(/.exec(prototype)![1]!;
  return {
    address: () => 0n,
    load(path: string) {
      if (path !== file) throw new Error(`Failed to load shared library: ${path}: no such file`);
      const func = (prototype: string) => {
        const found = functions[nameOf(prototype)];
        if (!found) throw new Error(`Cannot find function '${nameOf(prototype)}' in shared library`);
        return found;
      };
      return { func };
    },
  };
}

/** Lets `require('koffi')` give this. */
function installKoffi(koffi: () => unknown): void {
  const require = Object.assign(koffi, { resolve: () => '/koffi/index.cjs' });
  const module = { createRequire: () => require } as unknown as typeof import('node:module');
  vi.spyOn(process, 'getBuiltinModule').mockReturnValue(module as never);
}

describe('finding a BLAS', () => {
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  });

  it('is switched off', () => {
    const builtin = vi.spyOn(process, 'getBuiltinModule');
    expect(openBlas('off')).toBeNull();
    expect(builtin).not.toHaveBeenCalled();
    expect(new CpuDevice({ blas: 'off' }).describe()).not.toContain('products');
  });

  it('reads BURIN_BLAS', () => {
    vi.stubEnv('BURIN_BLAS', '');
    expect(blasChoice()).toBe('auto');
    vi.stubEnv('BURIN_BLAS', 'off');
    expect(blasSource().get()).toBeNull();
    vi.stubEnv('BURIN_BLAS', '/nowhere/libblas.so');
    expect(() => new CpuDevice()).toThrow('got /nowhere/libblas.so');
  });

  it('does not look before it is asked', () => {
    const builtin = vi.spyOn(process, 'getBuiltinModule');
    const source = blasSource('auto');
    expect(builtin).not.toHaveBeenCalled();
    source.get();
    expect(builtin).toHaveBeenCalled();
  });

  it('leaves all as it is where koffi or a library is missing', () => {
    installKoffi(() => {
      throw new Error("Cannot find module 'koffi'");
    });
    expect(openBlas('auto')).toBeNull();
    installKoffi(() => fakeKoffi('libnone.so', {}));
    expect(openBlas('auto')).toBeNull();
  });

  it('says what is missing where a library was named', () => {
    expect(() => openBlas('/nowhere/libblas.so')).toThrow(
      /^cpu: BURIN_BLAS must be auto, off, or a library that has cblas_sgemm: got \/nowhere\/libblas.so: /,
    );
    installKoffi(() => fakeKoffi('libm.so', {}));
    expect(() => openBlas('libm.so')).toThrow("got libm.so: Cannot find function 'cblas_sgemm' in shared library");
    installKoffi(() => {
      throw new Error("Cannot find module 'koffi'\nRequire stack: ...");
    });
    expect(() => openBlas('libm.so')).toThrow(
      'cpu: the BLAS libm.so takes the package koffi to load: expected it to be installed, ' +
        "got Cannot find module 'koffi'; npm install koffi, or set BURIN_BLAS=off",
    );
  });

  it('refuses a library whose product is wrong', () => {
    installKoffi(() => fakeKoffi('libwrong.so', { cblas_sgemm: () => undefined }));
    expect(() => openBlas('libwrong.so')).toThrow('its product is wrong: expected 15,23,33,47, got 1,1,1,1');
  });

  it('refuses an OpenBLAS that several threads cannot call', () => {
    for (const [threading, message] of [
      [
        0,
        'an OpenBLAS built without threads multiplies wrongly when several threads call it; install one with threads',
      ],
      [1, 'its product is wrong'],
      [2, 'its product is wrong'],
    ] as const) {
      const functions = { cblas_sgemm: () => undefined, openblas_get_parallel: () => threading };
      installKoffi(() => fakeKoffi('libopen.so', functions));
      expect(() => openBlas('libopen.so')).toThrow(`got libopen.so: ${message}`);
    }
  });

  it('gives the library one thread, and puts the environment back', () => {
    vi.stubEnv('OPENBLAS_NUM_THREADS', undefined);
    vi.stubEnv('VECLIB_MAXIMUM_THREADS', '7');
    const setThreads = vi.fn();
    let threads: string | undefined;
    const koffi = fakeKoffi('libopen.so', { cblas_sgemm: () => undefined, openblas_set_num_threads: setThreads });
    installKoffi(() => ({
      ...koffi,
      load(path: string) {
        threads = process.env.OPENBLAS_NUM_THREADS;
        expect(process.env.VECLIB_MAXIMUM_THREADS).toBe('7');
        return koffi.load(path);
      },
    }));
    expect(() => openBlas('libopen.so')).toThrow('its product is wrong');
    expect(setThreads).toHaveBeenCalledWith(1);
    expect(threads).toBe('1');
    expect(process.env.OPENBLAS_NUM_THREADS).toBeUndefined();
    expect(process.env.VECLIB_MAXIMUM_THREADS).toBe('7');
  });
});
