import { type DeviceName, expectClose, type Tolerance } from '@burin/testing';
import * as reference from '@burin/testing/reference';
import { expect } from 'vitest';
import type { Device, DeviceBuffer } from '../../src/device.js';
import { resolveDevice } from '../../src/devices.js';
import type { DType } from '../../src/dtype.js';
import type { Kernels } from '../../src/kernels/index.js';

/** What a kernel takes, with arrays in place of device buffers. The same array twice is the same buffer twice. */
export type HostArguments<K extends keyof Kernels> = Parameters<(typeof reference)[K]>;

const REFERENCES = { ...reference };

type HostArray = reference.Storage;

/** Runs a kernel on arrays, which hold afterwards what the kernel left in its buffers. */
export type KernelRunner = <K extends keyof Kernels>(name: K, ...args: HostArguments<K>) => Promise<void>;

const GUARD_BYTES = 64;
const GUARD = 0xff; // NaN as a float: a kernel that reads past an end spoils its result, one that writes is caught

/** The kernels of a device, or `reference` for the float64 ones. */
export function kernelsOf(name: DeviceName | 'reference'): KernelRunner {
  if (name === 'reference') return runReference;
  const device = resolveDevice(name);
  return (kernel, ...args) => runOnDevice(device, kernel, args);
}

/**
 * Runs a kernel on `device` and its float64 reference on the same inputs, and compares every array that either was given:
 * outputs must agree, and inputs must be untouched. `args` hold the device's results afterwards.
 *
 * @param tolerance - for float32 arrays; all others must be equal
 */
export async function expectLikeReference<K extends keyof Kernels>(
  device: DeviceName,
  tolerance: Tolerance,
  name: K,
  ...args: HostArguments<K>
): Promise<void> {
  const { values: expected, copies } = copyArrays(args, (array) =>
    array instanceof Float32Array ? Float64Array.from(array) : array.slice(),
  );
  callReference(name, expected as HostArguments<K>);
  await kernelsOf(device)(name, ...args);
  for (const [array, { path, value }] of copies) {
    const allowed = array instanceof Float32Array ? tolerance : { rtol: 0, atol: 0 };
    const rounded = value instanceof Float64Array ? Float32Array.from(value) : value;
    expectClose(array, rounded, allowed, `${name}: argument ${path}`);
  }
}

async function runReference<K extends keyof Kernels>(name: K, ...args: HostArguments<K>): Promise<void> {
  const { values, copies } = copyArrays(args, (array) =>
    array instanceof Float32Array ? Float64Array.from(array) : array,
  );
  callReference(name, values as HostArguments<K>);
  for (const [array, { value }] of copies) if (array !== value) array.set(value as Float64Array);
}

async function runOnDevice(device: Device, name: keyof Kernels, args: readonly unknown[]): Promise<void> {
  const kernel = device.kernels[name] as ((...args: unknown[]) => void) | undefined;
  if (!kernel) throw new Error(`${name} is missing from the kernels of ${device.describe()}`);
  const { values, copies } = copyArrays(args, (array) => upload(device, array, dtypeOf(array, halvesOf(array, args))));
  const { liveBytes } = device.memory;
  kernel.apply(device.kernels, values);
  expect(device.memory.liveBytes, `${name} must not allocate`).toBeLessThanOrEqual(liveBytes); // it may pack 4-bit codes
  for (const [array, { path, value }] of copies) {
    const bytes = await device.read(value);
    new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(bytes.subarray(0, array.byteLength));
    const guard = bytes.subarray(array.byteLength, array.byteLength + GUARD_BYTES);
    expect(isGuard(guard, array), `${name} wrote past the end of argument ${path}`).toBe(true);
    device.memory.free(value);
  }
}

/** Untouched; a device that keeps 16-bit floats wider gives the same NaN back in other bits. */
function isGuard(bytes: Uint8Array, array: HostArray): boolean {
  if (!(array instanceof Uint16Array)) return bytes.every((byte) => byte === GUARD);
  return new Uint16Array(bytes.slice().buffer).every((half) => (half & 0x7fff) > 0x7c00);
}

/** Which 16-bit float the arguments say that `array` is: the first dtype named after it, or any that is named. */
function halvesOf(array: HostArray, args: readonly unknown[]): DType | undefined {
  const isHalf = (arg: unknown): arg is DType => arg === 'float16' || arg === 'bfloat16';
  const fields = args.flatMap((arg) => (arg?.constructor === Object ? Object.values(arg) : [arg]));
  return fields.slice(fields.indexOf(array)).find(isHalf) ?? fields.find(isHalf);
}

/** What an array stands for; 16-bit floats are held as their bits, and the arguments say which they are. */
function dtypeOf(array: HostArray, halves: DType | undefined): DType {
  if (array instanceof Uint16Array) return halves ?? 'float16';
  if (array instanceof Int32Array) return 'int32';
  return array instanceof Uint8Array ? 'uint8' : 'float32';
}

function upload(device: Device, array: HostArray, dtype: DType): DeviceBuffer {
  const bytes = new Uint8Array(array.byteLength + GUARD_BYTES).fill(GUARD);
  bytes.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  const buffer = device.memory.allocate(bytes.length, dtype);
  device.write(buffer, bytes);
  return buffer;
}

function callReference<K extends keyof Kernels>(name: K, args: HostArguments<K>): void {
  (REFERENCES[name] as (...args: HostArguments<K>) => void)(...args);
}

/** `args` with every array in it replaced by `copy(array)`, once each; and what became of each array. */
function copyArrays<T>(args: readonly unknown[], copy: (array: HostArray) => T) {
  const copies = new Map<HostArray, { path: string; value: T }>();
  const visit = (value: unknown, path: string): unknown => {
    if (ArrayBuffer.isView(value)) {
      const array = value as HostArray;
      if (!copies.has(array)) copies.set(array, { path, value: copy(array) });
      return copies.get(array)!.value;
    }
    if (Array.isArray(value) || typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, entry]) => [key, visit(entry, `${path}.${key}`)]));
  };
  return { values: args.map((arg, i) => visit(arg, `${i}`)), copies };
}
