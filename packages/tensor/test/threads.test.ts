import { execFileSync } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { createEngine } from '../src/cpu/engine.js';
import { CpuDevice } from '../src/cpu/index.js';
import { defaultSimd } from '../src/cpu/simd.js';
import { BrowserWorker } from './browser-worker.js';
import { CASES, runCase } from './kernel-cases.js';
import { sharingEngine } from './sharing-engine.js';

const SIMD = defaultSimd() === 'relaxed' ? 'relaxed SIMD' : 'SIMD';
const opened: { dispose(): void }[] = [];

function open(threads: number): CpuDevice {
  const device = new CpuDevice({ threads, blas: 'off' });
  opened.push(device);
  return device;
}

/** Enough work that workers are asked for. Returns how many of the results are wrong. */
function work(device: CpuDevice, rounds = 60): number {
  const size = 200_000;
  const [x, y] = [device.memory.allocate(4 * size), device.memory.allocate(4 * size)];
  device.kernels.fill('float32', x, 0, size);
  for (let round = 0; round < rounds; round++) {
    device.kernels.unary('exp', x, y, size, 0); // 1
    device.kernels.addScaled(y, x, 0, size); // still 0
  }
  const wrong = new Float32Array(device.readNow(y).buffer).filter((value) => value !== 1).length;
  device.memory.free(x);
  device.memory.free(y);
  return wrong;
}

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});
afterAll(() => {
  for (const one of opened) one.dispose();
});

describe('results do not depend on the number of threads', async () => {
  const alone = createEngine(1);
  const two = await sharingEngine(2);
  const five = await sharingEngine(5); // more than most machines have processors for

  it.each(Object.entries(CASES))('%s', (_, run) => {
    const expected = runCase(alone, run);
    for (const engine of [two, five]) {
      const got = runCase(engine, run);
      expect(got.length).toBe(expected.length);
      expect(got.findIndex((byte, at) => byte !== expected[at])).toBe(-1);
    }
  });
});

describe('worker threads', () => {
  it('take part once they are ready, and not before there is much to do', async () => {
    const device = open(2);
    work(device, 1);
    expect(device.engine.threads.ready).toBe(1);
    for (let tries = 0; device.engine.threads.ready < 2 && tries < 1000; tries++) await sleep(10 + work(device));
    expect(work(device)).toBe(0);
    expect(device.describe()).toBe(`cpu (WebAssembly ${SIMD}, 2 threads)`);
  });

  it('see memory that has just grown', async () => {
    const engine = await sharingEngine(2);
    for (let round = 0; round < 20; round++) {
      const block = engine.allocator.allocate(20_000_000)!;
      const at = block.start * 64;
      engine.run('fill8', [at, round + 1], 20_000_000, 1);
      const bytes = new Uint8Array(engine.memory.buffer, at, 20_000_000);
      for (let i = 0; i < bytes.length; i += 4093) expect(bytes[i]).toBe(round + 1);
    }
  });

  it('finish many small jobs though there are more of them than processors', async () => {
    const engine = await sharingEngine(8);
    const at = engine.workspace(4096);
    for (let job = 0; job < 2000; job++) engine.run('fill8', [at, job], 4096, 1);
    expect([...new Uint8Array(engine.memory.buffer, at, 4096)].every((byte) => byte === (1999 & 255))).toBe(true);
  });

  it('leave the engine in order when a kernel fails', async () => {
    const engine = await sharingEngine(3);
    for (let round = 0; round < 50; round++) {
      // half of the units lie past the end of the memory
      const at = engine.memory.buffer.byteLength - 500;
      expect(() => engine.run('fill8', [at, 1], 1000, 1)).toThrow(/out of bounds|failed in a worker/);
    }
    expect(runCase(engine, CASES.softmax!)).toEqual(runCase(createEngine(1), CASES.softmax!));
  });

  it('are stopped by dispose; the device goes on with one', async () => {
    const device = open(2);
    for (let tries = 0; device.engine.threads.ready < 2 && tries < 1000; tries++) await sleep(10 + work(device));
    device.dispose();
    expect(work(device)).toBe(0);
    expect(device.describe()).toBe(`cpu (WebAssembly ${SIMD}, 1 thread: disposed)`);
  });
});

it('a page has workers too; its main thread, which may not sleep, waits for them awake', async () => {
  vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
  vi.stubGlobal('crossOriginIsolated', true);
  vi.stubGlobal('Worker', BrowserWorker);
  vi.spyOn(Atomics, 'wait').mockImplementation(() => {
    throw new TypeError('Atomics.wait cannot be called in this context');
  });
  const engine = await sharingEngine(2);
  expect(runCase(engine, CASES.reductions!)).toEqual(runCase(createEngine(1), CASES.reductions!));
});

describe('where there can be no workers', () => {
  const builtins = process.getBuiltinModule.bind(process);
  /** Node with another Worker. */
  function stubWorker(Worker: unknown): void {
    const stub = (name: string) => (name === 'node:worker_threads' ? { Worker } : builtins(name));
    vi.spyOn(process, 'getBuiltinModule').mockImplementation(stub as typeof process.getBuiltinModule);
  }

  it('works alone and says why: no shared memory', () => {
    vi.stubGlobal('crossOriginIsolated', false);
    const device = open(4);
    expect(work(device)).toBe(0);
    expect(device.describe()).toBe(
      `cpu (WebAssembly ${SIMD}, 1 thread: no shared memory; a page must be cross-origin isolated for it)`,
    );
  });

  it('works alone and says why: the platform refuses', () => {
    stubWorker(
      class {
        constructor() {
          throw new Error('no threads for you');
        }
      },
    );
    const device = open(4);
    expect(device.describe()).toBe(`cpu (WebAssembly ${SIMD}, 4 threads)`);
    expect(work(device)).toBe(0);
    expect(device.describe()).toBe(`cpu (WebAssembly ${SIMD}, 1 thread: Error: no threads for you)`);
  });

  it("works alone and says why: a page's policy", async () => {
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    vi.stubGlobal('crossOriginIsolated', true);
    vi.stubGlobal(
      'Worker',
      class {
        onerror: (event: { message?: string }) => void = () => {};
        postMessage = () => queueMicrotask(() => this.onerror({}));
        terminate = () => {};
      },
    );
    const device = open(2);
    expect(work(device)).toBe(0);
    await expect
      .poll(() => device.describe())
      .toBe(
        `cpu (WebAssembly ${SIMD}, 1 thread: the browser refused to start a worker; ` +
          'a Content-Security-Policy must allow worker-src blob:)',
      );
  });

  it('works alone and says why: a worker dies later', async () => {
    const { Worker } = builtins('node:worker_threads');
    stubWorker(
      class extends Worker {
        constructor(_: string, options: object) {
          super('throw new Error("stillborn")', options);
        }
      },
    );
    const device = open(2);
    expect(work(device)).toBe(0);
    await expect.poll(() => device.describe()).toBe(`cpu (WebAssembly ${SIMD}, 1 thread: Error: stillborn)`);
    expect(work(device)).toBe(0);
  });

  it('uses one thread where one is asked for', () => {
    const device = open(1);
    expect(work(device)).toBe(0);
    expect(device.engine.memory.buffer).toBeInstanceOf(ArrayBuffer);
    expect(device.describe()).toBe(`cpu (WebAssembly ${SIMD}, 1 thread)`);
  });
});

describe('the number of threads', () => {
  it('comes from BURIN_THREADS where nobody gives it', () => {
    vi.stubEnv('BURIN_THREADS', '7');
    expect(new CpuDevice().describe()).toContain('7 threads');
    expect(new CpuDevice({ threads: 3 }).describe()).toContain('3 threads');
    vi.stubEnv('BURIN_THREADS', 'many');
    expect(() => new CpuDevice()).toThrow('cpu: BURIN_THREADS must be a whole number of 1 or more, got many');
    vi.unstubAllEnvs();
    expect(() => new CpuDevice({ threads: 0 })).toThrow('cpu: threads must be a whole number of 1 or more, got 0');
  });
});

it('a process with workers ends by itself', () => {
  const program = fileURLToPath(new URL('./threads-program.ts', import.meta.url));
  const flags = ['--import', 'tsx', '--conditions=@burin/source', program];
  const env = { ...process.env, BURIN_SIMD: '' }; // without this process's flags there may be one build only
  const output = execFileSync(process.execPath, flags, { encoding: 'utf8', timeout: 20_000, env });
  expect(output).toBe('2 threads ready\n');
});
