import { afterEach, describe, expect, it, vi } from 'vitest';
import { CpuDevice } from '../src/cpu/index.js';

/** Far more than any turn takes; reached only where reading gives none. */
const LIMIT_MS = 4000;

const device = new CpuDevice({ threads: 1, blas: 'off' });
const buffer = device.memory.allocate(4);

/** Reads, as a loop of training does, until `condition` holds. */
async function readUntil(condition: () => boolean): Promise<boolean> {
  const end = performance.now() + LIMIT_MS;
  while (!condition() && performance.now() < end) await device.read(buffer);
  return condition();
}

afterEach(() => vi.unstubAllGlobals());

describe('reading on the CPU', () => {
  it('lets timers and abort signals fire', async () => {
    const signal = AbortSignal.timeout(1);
    expect(await readUntil(() => signal.aborted)).toBe(true);
  });

  it('does so without timers, which a hidden page holds back', async () => {
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    vi.stubGlobal('setTimeout', () => {});
    expect(await readUntil(() => turned)).toBe(true);
  });

  it('gives what was there when it was asked for', async () => {
    let reading: Promise<Uint8Array> = Promise.resolve(new Uint8Array());
    const turns = vi.fn(MessageChannel);
    vi.stubGlobal('MessageChannel', turns);
    const taken = await readUntil(() => {
      device.write(buffer, Uint8Array.of(1, 2, 3, 4));
      reading = device.read(buffer);
      device.write(buffer, new Uint8Array(4));
      return turns.mock.calls.length > 0; // this one has waited for the event loop
    });
    expect(taken).toBe(true);
    expect([...(await reading)]).toEqual([1, 2, 3, 4]);
  });
});
