import { type DeviceBuffer, DeviceError, type MemoryPressure, tensor, toDevice, zeros } from '@burin/tensor';
import { gpu } from '@burin/tensor/gpu';
import { type GpuBackend, gpuBackends, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import type { GpuDevice } from '../src/gpu/device.js';
import { selfTest } from '../src/gpu/self-test.js';

const backends: GpuBackend[] = await gpuBackends();

describe('gpu()', () => {
  it('refuses a backend that there is not', async () => {
    await expect(gpu({ backend: 'cuda' as never })).rejects.toThrow(
      "gpu: backend must be 'webgpu', 'webgl2' or 'headlessgl', got 'cuda'",
    );
  });

  it('promise 14: says what was tried where there is none, and does not fall back', async () => {
    const opening = gpu({ backend: 'webgl2' }); // Node has none
    await expect(opening).rejects.toThrow(DeviceError);
    await expect(opening).rejects.toThrow(
      'gpu: no GPU could be opened; tried webgl2: this browser has no WebGL 2 with float textures',
    );
  });
});

describe.each(backends)('the GPU device on $name $missing', ({ name, device }) => {
  const here = it.skipIf(!device);

  here('is handed out again, and says what it is', async () => {
    const again = await gpu({ backend: name });
    expect(again).toBe(device);
    expect(again.describe()).toMatch(/^gpu \((WebGPU|headless GL) through gpu\.js: .+\)$/);
    expect(zeros([1], { device: 'gpu' }).device).toBe(device);
  });

  here('refuses a device that adds wrongly, and says what it got wrong', async () => {
    const reduce = (_op: string, _x: DeviceBuffer, y: DeviceBuffer) => device!.kernels.fill('float32', y, 1, 1);
    const liar = Object.create(device!, { kernels: { value: { ...device!.kernels, reduce } } }) as GpuDevice;
    const { describe, read, write } = device!;
    const own = { describe, read, write };
    for (const [key, method] of Object.entries(own)) Object.defineProperty(liar, key, { value: method.bind(device) });
    await expect(selfTest(liar)).rejects.toThrow(
      /failed its self-test and is not used: of the sum of 1000 numbers, element 0 must be 500, got 1;/,
    );
  });

  here('promise 17: refuses a tensor beyond the limit of one buffer, with its size and the limit', () => {
    const { memory } = device!;
    expect(() => memory.allocate(2 ** 40)).toThrow(
      /^gpu: a tensor of 274877906944 elements \(float32\) takes 1024\.0 GiB on the GPU, and \w+ holds at most .+ in one buffer \(max/i,
    );
  });

  here('refuses an int32 that a float32 does not hold', () => {
    expect(() => tensor(Int32Array.of(1, 2 ** 24 + 1), [2], { device: device! })).toThrow(
      'gpu: int32 is kept as float32 on the GPU and must be within 16777216 of 0, got 16777217 at 1; keep it on the CPU',
    );
  });

  here('gives back what was written, in every dtype, whole and in part', async () => {
    const random = seededRandom(3);
    const bytes = { float32: 4, float16: 2, bfloat16: 2, int32: 4, uint8: 1 } as const;
    for (const dtype of ['float32', 'float16', 'bfloat16', 'int32', 'uint8'] as const) {
      const values = tensor(random.integers(37, 0, 200), [37], { dtype: 'int32', device: device! }).to(dtype);
      const stored = await values.bytes();
      const buffer = device!.memory.allocate(stored.length, dtype);
      device!.write(buffer, stored);
      expect(await device!.read(buffer), dtype).toEqual(stored);
      device!.write(buffer, stored.slice(0, 4 * bytes[dtype]), 8 * bytes[dtype]);
      expect(await device!.read(buffer, 8 * bytes[dtype], 4 * bytes[dtype]), dtype).toEqual(
        stored.slice(0, 4 * bytes[dtype]),
      );
      device!.memory.free(buffer);
      values.dispose();
    }
  });

  here('takes tensors from the CPU and gives them back', async () => {
    const x = tensor([1.5, -2, 3], [3], { dtype: 'bfloat16', requiresGrad: true, device: 'cpu' });
    const there = await toDevice(x, device!);
    const back = await toDevice(there.mul(2), 'cpu');
    expect([there.device, there.dtype, there.requiresGrad, back.device.name]).toEqual([
      device,
      'bfloat16',
      true,
      'cpu',
    ]);
    expect([...(await back.data())]).toEqual([3, -4, 6]);
    expect(() => x.add(there)).toThrow(
      'all tensors must be on one device: got cpu and gpu; move one with await toDevice',
    );
    for (const made of [x, there, back]) made.dispose();
  });

  here('counts what is held, tells its listeners before the budget is exceeded, and refuses what does not fit', () => {
    const { memory } = device!;
    const before = memory.liveBytes;
    const held = memory.allocate(400);
    expect(memory.liveBytes).toBe(before + 400);
    const told: MemoryPressure[] = [];
    const off = memory.onPressure((pressure) => void told.push(pressure));
    memory.budget = before + 1000;
    expect(() => memory.allocate(800)).toThrow(
      /^gpu: the allocation does not fit the memory budget: requested 800 bytes/,
    );
    expect(told).toEqual([{ requestedBytes: 800, shortfallBytes: 200 }]);
    off();
    memory.budget = Number.POSITIVE_INFINITY;
    memory.free(held);
    expect(memory.liveBytes).toBe(before);
  });
});
