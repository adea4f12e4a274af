import { describe, expect, it } from 'vitest';
import { createEngine, pointer } from '../src/cpu/engine.js';
import { CpuDevice } from '../src/cpu/index.js';

describe('engine', () => {
  it('gives scratch that is aligned, grows, and then stays where it is', () => {
    const engine = createEngine();
    const small = engine.workspace(100);
    expect(small % 64).toBe(0);
    const large = engine.workspace(100_000_000);
    expect(engine.memory.buffer.byteLength).toBeGreaterThanOrEqual(large + 100_000_000);
    expect(engine.workspace(10)).toBe(large);
  });

  it('says how far the memory goes where there is no room for scratch, and goes on', () => {
    const engine = createEngine();
    expect(() => engine.workspace(2 ** 33)).toThrow(
      'cpu: no room for 8.0 GiB of scratch in WebAssembly memory, which has grown to 4.0 MiB of at most 4.0 GiB; free',
    );
    expect(engine.workspace(100)).toBeGreaterThan(0);
  });

  it('writes metadata as int32, also after the memory has grown', () => {
    const engine = createEngine();
    const read = () => [...new Int32Array(engine.memory.buffer, engine.metadata([3, -1, 2 ** 31 - 1]), 3)];
    expect(read()).toEqual([3, -1, 2 ** 31 - 1]);
    engine.workspace(200_000_000);
    expect(read()).toEqual([3, -1, 2 ** 31 - 1]);
  });

  it('refuses more metadata than it has room for', () => {
    const values = new Array<number>(257).fill(0);
    expect(() => createEngine().metadata(values)).toThrow('a kernel takes at most 256 sizes and strides, got 257');
  });

  it('takes null for address 0, and refuses buffers that are freed or foreign', () => {
    const { memory } = new CpuDevice();
    expect(pointer(null)).toBe(0);
    const buffer = memory.allocate(12);
    expect(pointer(buffer)).toBeGreaterThan(0);
    memory.free(buffer);
    expect(() => pointer(buffer)).toThrow('a kernel was given a buffer of 12 bytes that was freed before');
    expect(() => pointer({ byteLength: 4 })).toThrow('a kernel was given a buffer of another device');
  });

  it('works beyond 2 GiB, where addresses do not fit a signed integer', () => {
    const device = new CpuDevice();
    const { memory, kernels } = device;
    const spacer = memory.allocate(2 ** 31 + 2 ** 20);
    const x = memory.allocate(20);
    expect(pointer(x)).toBeGreaterThan(2 ** 31);
    device.write(x, new Uint8Array(Float32Array.of(1, -2, 3, -4, 5).buffer));
    kernels.unary('abs', x, x, 5, 0);
    kernels.reduce('sum', x, x, 1, 5, 1);
    kernels.copy(x, 0, x, 4, 4);
    expect([...new Float32Array(device.readNow(x, 0, 8).buffer)]).toEqual([15, 15]);
    memory.free(spacer);
    memory.free(x);
  });
});

describe.each([1, 2])('memory for %i threads', (threads) => {
  it('ends before its addresses do: the one after the last byte is not 0', () => {
    const { memory } = createEngine(threads);
    const pages = memory.buffer.byteLength / 65536;
    expect(() => memory.grow(65536 - pages)).toThrow();
  });
});

describe('CpuDevice', () => {
  it('reads back what was written, as a copy', async () => {
    const device = new CpuDevice();
    const buffer = device.memory.allocate(8);
    device.write(buffer, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    device.write(buffer, Uint8Array.of(9, 9), 2);
    const copy = await device.read(buffer, 1, 4);
    expect([...copy]).toEqual([2, 9, 9, 5]);
    device.write(buffer, new Uint8Array(8));
    expect([...copy]).toEqual([2, 9, 9, 5]);
  });

  it('keeps reads and writes inside the buffer', async () => {
    const device = new CpuDevice();
    const buffer = device.memory.allocate(8);
    const message = 'must stay inside the buffer: expected at most 8 bytes, got bytes 6 to 10';
    expect(() => device.write(buffer, new Uint8Array(4), 6)).toThrow(`cpu: write ${message}`);
    await expect(device.read(buffer, 6, 4)).rejects.toThrow(`cpu: read ${message}`);
  });

  it('says what is at work', () => {
    expect(new CpuDevice({ blas: 'off' }).describe()).toMatch(/^cpu \(WebAssembly (relaxed )?SIMD, \d+ threads?\)$/);
  });
});
