import { DeviceError } from '../errors.js';
import type { GpuDevice } from './device.js';

/** Beyond 2^24 an index held in a float32 goes wrong. */
const LARGE = 2 ** 24 + 3;

/** Rows and columns of the product: no power of two, so that edges are in it. */
const [M, N, K] = [5, 7, 19];

/**
 * Has a device prove itself before anyone computes on it: drivers have been seen that round, index or add wrongly and say
 * nothing. What is expected are whole numbers that float32 holds exactly.
 *
 * @throws DeviceError naming what the device got wrong
 */
export async function selfTest(device: GpuDevice): Promise<void> {
  await checkSum(device);
  await checkProduct(device);
  await checkLargeIndex(device);
}

async function checkSum(device: GpuDevice): Promise<void> {
  const x = upload(
    device,
    Float32Array.from({ length: 1000 }, (_, i) => (i % 8) - 3),
  );
  const y = device.memory.allocate(4);
  device.kernels.reduce('sum', x, y, 1, 1000, 1);
  expectEqual(device, 'the sum of 1000 numbers', await floats(device, y), [500]);
  for (const buffer of [x, y]) device.memory.free(buffer);
}

async function checkProduct(device: GpuDevice): Promise<void> {
  const a = Float32Array.from({ length: M * K }, (_, i) => (i % 5) - 2);
  const b = Float32Array.from({ length: K * N }, (_, i) => (i % 7) - 3);
  const expected = Array.from({ length: M * N }, (_, at) => {
    const [row, column] = [Math.floor(at / N), at % N];
    let sum = 0;
    for (let k = 0; k < K; k++) sum += a[row * K + k]! * b[k * N + column]!;
    return sum;
  });
  const [x, w, y] = [upload(device, a), upload(device, b), device.memory.allocate(4 * M * N)];
  device.kernels.matmul({
    ...{ a: x, b: w, bDtype: 'float32', y, bias: null, batch: 1, m: M, n: N, k: K },
    ...{ transposeA: false, transposeB: false, aStride: 0, bStride: 0, alpha: 1, accumulate: false },
  });
  expectEqual(device, `a matrix product of [${M}, ${K}] and [${K}, ${N}]`, await floats(device, y), expected);
  for (const buffer of [x, w, y]) device.memory.free(buffer);
}

/** Fetches two elements from beyond 2^24. */
async function checkLargeIndex(device: GpuDevice): Promise<void> {
  const values = new Float32Array(LARGE + 1);
  values.set([5, 7], LARGE - 1);
  const [x, y] = [upload(device, values), device.memory.allocate(4 * 2)];
  device.kernels.gatherStrided(x, y, [2], [1], LARGE - 1, 4);
  expectEqual(device, `elements ${LARGE - 1} and ${LARGE} of a buffer`, await floats(device, y), [5, 7]);
  for (const buffer of [x, y]) device.memory.free(buffer);
}

function upload(device: GpuDevice, values: Float32Array) {
  const buffer = device.memory.allocate(values.byteLength);
  device.write(buffer, new Uint8Array(values.buffer));
  return buffer;
}

async function floats(device: GpuDevice, buffer: Parameters<GpuDevice['read']>[0]): Promise<Float32Array> {
  return new Float32Array((await device.read(buffer)).buffer);
}

function expectEqual(device: GpuDevice, what: string, actual: Float32Array, expected: readonly number[]): void {
  const at = expected.findIndex((value, i) => !Object.is(value + 0, actual[i]! + 0));
  if (at < 0) return;
  throw new DeviceError(
    `gpu: ${device.describe()} failed its self-test and is not used: of ${what}, element ${at} must be ${expected[at]}, ` +
      `got ${actual[at]}; update the driver, try another backend, or compute on the CPU`,
  );
}
