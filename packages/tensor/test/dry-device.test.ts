import {
  cpu,
  DryDevice,
  LifetimeError,
  linear,
  MemoryError,
  ones,
  scope,
  type Tensor,
  tensor,
  withDevice,
  zeros,
} from '@burin/tensor';
import { describe, expect, it } from 'vitest';

/** Bytes held at the end and at most by a small network's forward and backward pass. */
function run(device: { memory: { liveBytes: number; peakBytes: number; resetPeak(): void } }) {
  const { memory } = device;
  const before = memory.liveBytes;
  memory.resetPeak();
  const weight = ones([7, 5], { requiresGrad: true });
  scope(() => {
    const hidden = linear(tensor(new Float32Array(15), [3, 5]), weight).gelu();
    hidden.softmax().sum().backward();
  });
  const taken = { live: memory.liveBytes - before, peak: memory.peakBytes - before };
  weight.zeroGrad();
  weight.dispose();
  return { ...taken, left: memory.liveBytes - before };
}

describe('a dry device', () => {
  it('counts what the CPU counts, to the byte, and holds nothing', () => {
    const device = new DryDevice();
    const dry = withDevice(device, () => run(device));
    expect(dry).toEqual(run(cpu()));
    expect(dry).toMatchObject({ live: 2 * 4 * 35, left: 0 });
    expect(device.memory.liveBuffers).toBe(0);
    expect(device.describe()).toBe('dry (counts memory, computes nothing)');
  });

  it('reads as zeros, and is as large as numbers go', async () => {
    const device = new DryDevice();
    expect([...(await ones([3], { device }).data())]).toEqual([0, 0, 0]);
    expect(zeros([2 ** 20, 2 ** 20], { device }).byteLength).toBe(2 ** 42);
    expect(device.memory.liveBytes).toBe(2 ** 42 + 12);
  });

  it('keeps to a budget, and notices what is freed twice', () => {
    const { memory } = new DryDevice();
    memory.budget = 10;
    const buffer = memory.allocate(8);
    expect(() => memory.allocate(3)).toThrow(
      new MemoryError('dry: the allocation does not fit the memory budget: requested 3 bytes, live 8, budget 10'),
    );
    memory.free(buffer);
    expect(() => memory.free(buffer)).toThrow(new LifetimeError('dry: a buffer of 8 bytes was freed twice'));
  });
});

describe('withDevice', () => {
  it('says where tensors are made, and no longer once it ends, also with an error', () => {
    const device = new DryDevice();
    let inside: Tensor | null = null;
    const failing = () => {
      inside = zeros([2]);
      expect(zeros([2], { device: 'cpu' }).device).toBe(cpu());
      withDevice(cpu(), () => expect(zeros([2]).device).toBe(cpu()));
      expect(zeros([2]).device).toBe(device);
      throw new Error('mine');
    };
    expect(() => withDevice(device, failing)).toThrow('mine');
    expect(inside!.device).toBe(device);
    expect(zeros([2]).device).toBe(cpu());
  });

  it('refuses an async body', () => {
    expect(() => withDevice(new DryDevice(), async () => 1)).toThrow(
      new TypeError('withDevice: the body must not be async; make the tensors in it and await outside'),
    );
  });
});
