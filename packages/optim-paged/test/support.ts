import { cpu, type Device, type DeviceMemory, type PressureListener, scope, type Tensor, tensor } from '@burin/tensor';
import { seededRandom } from '@burin/testing';

/** The settings of a property test: fixed, so that a failure is the same everywhere. */
export const PROPERTY = { seed: 20, numRuns: 60 };

export function parameter(values: number[] | Float32Array, options: { device?: Device } = {}): Tensor {
  return tensor(Float32Array.from(values), [values.length], { ...options, requiresGrad: true });
}

/** Parameters of the given sizes, filled by a seed. */
export function parameters(sizes: readonly number[], seed: number, device: Device = cpu()): Tensor[] {
  const random = seededRandom(seed);
  return sizes.map((size) => parameter(random.normal(size), { device }));
}

/** Gives a parameter a gradient. */
export function setGradient(of: Tensor, values: ArrayLike<number>): void {
  of.zeroGrad();
  of.grad = tensor(Float32Array.from(values), of.shape, { device: of.device });
}

/** Gradients for a step, the same for the same seed and step; `skip` leaves parameters without. */
export function setGradients(
  params: readonly Tensor[],
  seed: number,
  skip: (index: number) => boolean = () => false,
): void {
  const random = seededRandom(seed);
  for (const [i, param] of params.entries()) {
    const values = random.normal(param.size);
    if (skip(i)) param.zeroGrad();
    else setGradient(param, values);
  }
}

export function values(params: readonly Tensor[]): Promise<number[][]> {
  return Promise.all(params.map(async (param) => [...(await param.data())]));
}

export function free(params: readonly Tensor[]): void {
  for (const param of params) {
    param.zeroGrad();
    param.dispose();
  }
}

/** The CPU as a GPU would look: what is on it can be read by waiting only. */
export function deviceWithoutReadNow(): Device {
  const { name, memory, kernels } = cpu();
  return {
    name,
    memory,
    kernels,
    write: (buffer, bytes, byteOffset) => cpu().write(buffer, bytes, byteOffset),
    async read(buffer, byteOffset, byteLength) {
      const bytes = await cpu().read(buffer, byteOffset, byteLength);
      await new Promise((resolve) => setTimeout(resolve, 0));
      return bytes;
    },
    describe: () => 'cpu, seen through a keyhole',
  };
}

/** The CPU with listeners of its own, who are told before each allocation that there is no room at all. */
export function deviceAlwaysFull(): Device {
  const device = cpu();
  const listeners = new Set<PressureListener>();
  const memory: DeviceMemory = {
    liveBytes: 0,
    peakBytes: 0,
    liveBuffers: 0,
    budget: Number.POSITIVE_INFINITY,
    resetPeak() {},
    free: (buffer) => device.memory.free(buffer),
    onPressure(listener) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    allocate(byteLength) {
      for (const listener of listeners) listener({ requestedBytes: byteLength, shortfallBytes: 2 ** 40 });
      return device.memory.allocate(byteLength);
    },
  };
  return {
    name: 'cpu',
    memory,
    kernels: device.kernels,
    write: (buffer, bytes, byteOffset) => device.write(buffer, bytes, byteOffset),
    read: (buffer, byteOffset, byteLength) => device.read(buffer, byteOffset, byteLength),
    readNow: (buffer, byteOffset, byteLength) => device.readNow(buffer, byteOffset, byteLength),
    describe: () => 'cpu, always full',
  };
}

/** Runs `body` under a memory budget of `bytes` more than is in use. */
export async function withBudget<T>(
  bytes: number,
  body: () => Promise<T>,
  memory: DeviceMemory = cpu().memory,
): Promise<T> {
  const before = memory.budget;
  memory.budget = memory.liveBytes + bytes;
  try {
    return await body();
  } finally {
    memory.budget = before;
  }
}

/** Allocates `bytes` and lets go of them: what a forward pass does. */
export function touchMemory(bytes: number): void {
  scope(() => void tensor(new Float32Array(bytes / 4)));
}
