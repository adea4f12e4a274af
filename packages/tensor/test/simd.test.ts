import { fc, it as property } from '@fast-check/vitest';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createEngine } from '../src/cpu/engine.js';
import { CpuDevice } from '../src/cpu/index.js';
import { applyPatch } from '../src/cpu/patch.js';
import { defaultSimd, hasRelaxedSimd } from '../src/cpu/simd.js';
import { CASES, runCase } from './kernel-cases.js';

type MakePatch = (base: Uint8Array, target: Uint8Array) => Uint8Array;
const script = new URL('../scripts/patch.mjs', import.meta.url).href;
const { makePatch }: { makePatch: MakePatch } = await import(script);

afterEach(() => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
});

describe('the build of the kernels', () => {
  it('is the best that the engine has, unless the environment names one', () => {
    const wanted = process.env.BURIN_SIMD; // vitest.other-build.config.ts sets it
    expect(defaultSimd()).toBe(wanted || (hasRelaxedSimd() ? 'relaxed' : 'plain'));
    vi.stubEnv('BURIN_SIMD', '');
    expect(defaultSimd()).toBe(hasRelaxedSimd() ? 'relaxed' : 'plain');
    vi.stubEnv('BURIN_SIMD', 'plain');
    expect(createEngine().simd).toBe('plain');
  });

  it('is plain where the engine lacks relaxed SIMD', () => {
    vi.stubEnv('BURIN_SIMD', '');
    vi.spyOn(WebAssembly, 'validate').mockImplementation((bytes) => bytes.byteLength > 100); // all but the probe
    const device = new CpuDevice({ threads: 1, blas: 'off' });
    expect(device.engine.simd).toBe('plain');
    expect(device.describe()).toBe('cpu (WebAssembly SIMD, 1 thread)');
  });

  it('can be chosen, and is told', () => {
    expect(new CpuDevice({ threads: 1, simd: 'plain', blas: 'off' }).describe()).toBe(
      'cpu (WebAssembly SIMD, 1 thread)',
    );
    vi.stubEnv('BURIN_SIMD', 'plain');
    expect(new CpuDevice({ threads: 1, blas: 'off' }).describe()).toBe('cpu (WebAssembly SIMD, 1 thread)');
  });

  it.runIf(hasRelaxedSimd())('tells of relaxed SIMD', () => {
    const device = new CpuDevice({ threads: 1, simd: 'relaxed', blas: 'off' });
    expect(device.describe()).toBe('cpu (WebAssembly relaxed SIMD, 1 thread)');
  });

  it('is refused where there is none of the name, or the engine lacks it', () => {
    vi.stubEnv('BURIN_SIMD', 'fast');
    expect(() => new CpuDevice()).toThrow('cpu: BURIN_SIMD must be plain or relaxed, got fast');
    expect(() => new CpuDevice({ build: 'plain' } as object)).toThrow(
      'cpu: there is no option build; expected threads, blas, simd',
    );
    expect(() => new CpuDevice({ simd: 'wide' as 'plain' })).toThrow('cpu: simd must be plain or relaxed, got wide');
    vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    expect(() => new CpuDevice({ simd: 'relaxed' })).toThrow(
      'cpu: simd is relaxed, but this engine has no relaxed SIMD; ' +
        'use Node 22 or later, or start Node 20 with --experimental-wasm-relaxed-simd',
    );
  });
});

describe.runIf(hasRelaxedSimd())('the two builds', () => {
  const [plain, relaxed] = [createEngine(1, 'plain'), createEngine(1, hasRelaxedSimd() ? 'relaxed' : 'plain')];

  it('have the same kernels, in the same order', () => {
    expect(Object.keys(relaxed.exports)).toEqual(Object.keys(plain.exports));
  });

  it.each(['copies and fills', 'casts', 'optimizers', 'rows of a table'])('give the same bits: %s', (name) => {
    expect(runCase(relaxed, CASES[name]!)).toEqual(runCase(plain, CASES[name]!));
  });
});

describe('a patch', () => {
  const pieces = fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 });
  const order = fc.array(fc.nat(5), { maxLength: 10 });

  property.prop([pieces, pieces, order], { seed: 1 })('turns any bytes into any others', (base, fresh, order) => {
    // pieces of the base in another order, between new ones
    const target = order.flatMap((i) => [...(base[i] ?? []), ...(fresh[i] ?? [])]);
    const from = Uint8Array.from(base.flatMap((piece) => [...piece]));
    const to = Uint8Array.from(target);
    expect(applyPatch(from, makePatch(from, to))).toEqual(to);
  });

  it('is small where little is different', () => {
    const from = Uint8Array.from({ length: 100_000 }, (_, i) => (i * i * 31) >>> 7);
    const to = Uint8Array.from([...from.subarray(0, 500), 1, 2, 3, ...from.subarray(520), 4]);
    const patch = makePatch(from, to);
    expect(applyPatch(from, patch)).toEqual(to);
    expect(patch.length).toBeLessThan(40);
  });
});
