import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../src/cpu/index.js';
import type { DeviceBuffer } from '../src/device.js';
import { type DeviceMemory, MemoryError, type MemoryPressure } from '../src/memory.js';

function memoryOf(budget = Number.POSITIVE_INFINITY): DeviceMemory {
  const { memory } = new CpuDevice();
  memory.budget = budget;
  return memory;
}

describe('device memory', () => {
  it('counts what was asked for', () => {
    const memory = memoryOf();
    const [a, b] = [memory.allocate(100), memory.allocate(1)];
    memory.free(a);
    expect(memory).toMatchObject({ liveBytes: 1, liveBuffers: 1, peakBytes: 101 });
    memory.resetPeak();
    expect(memory.peakBytes).toBe(1);
    memory.free(b);
    expect(memory).toMatchObject({ liveBytes: 0, liveBuffers: 0, peakBytes: 1 });
  });

  it('counts a buffer of 0 bytes', () => {
    const memory = memoryOf(0);
    const buffer = memory.allocate(0);
    expect(memory).toMatchObject({ liveBytes: 0, liveBuffers: 1 });
    memory.free(buffer);
    expect(memory.liveBuffers).toBe(0);
  });

  it('fills the budget to the last byte without telling anybody', () => {
    const memory = memoryOf(100);
    memory.onPressure(() => expect.unreachable());
    memory.allocate(60);
    memory.allocate(40);
    expect(memory.liveBytes).toBe(100);
  });

  it('asks its listeners in order, and only as long as room is missing', () => {
    const memory = memoryOf(100);
    const held: DeviceBuffer[] = [memory.allocate(30), memory.allocate(30), memory.allocate(30)];
    const told: [string, MemoryPressure][] = [];
    for (const name of ['first', 'second', 'third']) {
      memory.onPressure((pressure) => {
        told.push([name, pressure]);
        memory.free(held.pop()!);
      });
    }
    memory.allocate(60);
    expect(told).toEqual([
      ['first', { requestedBytes: 60, shortfallBytes: 50 }],
      ['second', { requestedBytes: 60, shortfallBytes: 20 }],
    ]);
    expect(memory.liveBytes).toBe(90);
  });

  it('forgets a listener that was taken off', () => {
    const memory = memoryOf(10);
    memory.onPressure(() => expect.unreachable())();
    expect(() => memory.allocate(11)).toThrow(MemoryError);
  });

  it('says what was asked for, what is held, what is allowed, and what to do', () => {
    const memory = memoryOf(5000);
    memory.allocate(3000);
    expect(() => memory.allocate(20_480)).toThrow(
      'cpu: the allocation does not fit the memory budget: requested 20.0 KiB, live 3000 bytes in 1 buffers, ' +
        'budget 5000 bytes; free 18.0 KiB (end a scope, make the batch or the sequences smaller, use checkpoint or a ' +
        '4-bit base), or raise device.memory.budget',
    );
    expect(memory).toMatchObject({ liveBytes: 3000, liveBuffers: 1, peakBytes: 3000 });
  });

  it('says so where WebAssembly itself has no more room, once the listeners have been asked', () => {
    const memory = memoryOf();
    let asked = 0;
    memory.onPressure(() => {
      asked += 1;
    });
    expect(() => memory.allocate(2 ** 32)).toThrow(
      'cpu: no room in WebAssembly memory, which has grown to 4.0 MiB of at most 4.0 GiB: requested 4.0 GiB, live 0 bytes in ' +
        '0 buffers; free tensors (one made outside a scope lives until its dispose()), make the',
    );
    expect(asked).toBe(1);
  });

  it('refuses a second free, a foreign buffer, and sizes and budgets that are none', () => {
    const memory = memoryOf();
    const buffer = memory.allocate(7);
    memory.free(buffer);
    expect(() => memory.free(buffer)).toThrow('memory: a buffer of 7 bytes was freed twice');
    expect(() => memory.free(memoryOf().allocate(7))).toThrow('free was given a buffer that this device did not make');
    expect(() => memory.allocate(1.5)).toThrow('byteLength must be a whole number of 0 or more, got 1.5');
    expect(() => {
      memory.budget = Number.NaN;
    }).toThrow('budget must be 0 bytes or more, got NaN');
  });
});
