import { seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { attentionKernels } from '../src/cpu/attention.js';
import type { RangeKernel } from '../src/cpu/board.js';
import { createEngine, type Engine, pointer } from '../src/cpu/engine.js';
import { matmulKernels } from '../src/cpu/matmul.js';
import { cpuMemory } from '../src/cpu/memory.js';
import { quantizationKernels } from '../src/cpu/quantization.js';
import type { DeviceBuffer } from '../src/device.js';
import type { AttentionArguments } from '../src/kernels/attention.js';
import type { MatmulArguments } from '../src/kernels/matmul.js';

/*
 * Kernels take ranges of independent units so that threads can share a call. Whatever the ranges, and whatever scratch
 * holds before, not a bit of the result may change.
 */

const engine = createEngine();
const memory = cpuMemory(engine.allocator);
const random = seededRandom(1);

/** An engine that asks for units one by one, the last first, each with scratch full of NaN. */
function splitting(): { engine: Engine; calls: () => number } {
  let calls = 0;
  const splitter: Engine = Object.create(engine, {
    run: {
      value: ((name, args, units, _, scratchBytes = 0) => {
        const kernel = engine.exports[name] as RangeKernel;
        const scratch = scratchBytes > 0 ? [engine.workspace(scratchBytes)] : [];
        for (let unit = units - 1; unit >= 0; unit--) {
          for (const at of scratch) new Uint8Array(engine.memory.buffer, at, scratchBytes).fill(0xff);
          kernel(...args, unit, unit + 1, ...scratch);
          calls += 1;
        }
      }) satisfies Engine['run'],
    },
    workspace: { value: (byteLength: number) => engine.workspace(byteLength) },
    metadata: { value: (values: readonly number[]) => engine.metadata(values) },
  });
  return { engine: splitter, calls: () => calls };
}

function bytesOf(buffer: DeviceBuffer): Uint8Array {
  return new Uint8Array(engine.memory.buffer, pointer(buffer), buffer.byteLength);
}

function upload(array: Float32Array | Uint8Array | Int32Array): DeviceBuffer {
  const buffer = memory.allocate(array.byteLength);
  bytesOf(buffer).set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength));
  return buffer;
}

const floats = (size: number) => upload(Float32Array.from(random.uniform(size, -1, 1)));
const empty = (size: number) => upload(new Float32Array(size));

/** `run` leaves the same bytes in `outputs` with whole ranges and with split ones. */
function expectSplitsAlike(run: (engine: Engine) => void, outputs: readonly DeviceBuffer[]): void {
  const start = outputs.map((output) => bytesOf(output).slice());
  run(engine);
  const whole = outputs.map((output) => bytesOf(output).slice());
  outputs.forEach((output, i) => {
    bytesOf(output).set(start[i]!);
  });
  const splitter = splitting();
  run(splitter.engine);
  expect(splitter.calls()).toBeGreaterThan(1);
  outputs.forEach((output, i) => {
    const firstDifference = bytesOf(output).findIndex((byte, at) => byte !== whole[i]![at]);
    expect(firstDifference, `output ${i}`).toBe(-1);
  });
}

describe('units of a kernel', () => {
  const product = (args: Partial<MatmulArguments>): MatmulArguments => ({
    ...{ a: floats(60_000), b: floats(400_000), bDtype: 'float32', y: floats(200_000), bias: floats(1000) },
    ...{ batch: 1, m: 130, n: 520, k: 300, transposeA: false, transposeB: false, aStride: 0, bStride: 0 },
    ...{ alpha: 0.5, accumulate: true, ...args },
  });

  it.each([
    ['blocks', {}],
    ['blocks, both transposed', { transposeA: true, transposeB: true }],
    ['a batch', { batch: 3, m: 33, n: 70, k: 50, aStride: 1650, bStride: 3500 }],
    ['one row', { m: 1, n: 1000, transposeB: true }],
    ['four rows', { m: 4, n: 1000 }],
  ])('matmul: %s', (_, shape) => {
    const args = product(shape);
    expectSplitsAlike((device) => matmulKernels(device).matmul(args), [args.y]);
  });

  const strides = (heads: number, tokens: number) => ({ batch: heads * tokens * 8, head: tokens * 8, token: 8 });
  const attention = (): AttentionArguments => ({
    ...{ q: floats(2 * 4 * 70 * 8), k: floats(2 * 2 * 70 * 8), v: floats(2 * 2 * 70 * 8) },
    ...{ out: empty(2 * 4 * 70 * 8), lse: empty(2 * 4 * 70), scale: 0.3 },
    ...{ qStrides: strides(4, 70), kStrides: strides(2, 70), vStrides: strides(2, 70), outStrides: strides(4, 70) },
    ...{ batch: 2, heads: 4, kvHeads: 2, queries: 70, keys: 70, headDim: 8, valueDim: 8 },
    ...{ windowLeft: -1, windowRight: 0, queryOffset: 0, keyMask: null, querySegments: null, keySegments: null },
    ...{ bias: floats(2 * 70 * 70), biasStrides: { batch: 70 * 70, head: 0, token: 70 } },
    ...{ dropout: 0.2, stream: { seedLow: 1, seedHigh: 2, offsetLow: 3, offsetHigh: 4 } },
  });

  it('attention, forward and backward, with a bias that heads share', () => {
    const args = attention();
    expectSplitsAlike((device) => attentionKernels(device).attention(args), [args.out, args.lse]);
    const like = (buffer: DeviceBuffer) => empty(buffer.byteLength / 4);
    const gradients = { dq: like(args.q), dk: like(args.k), dv: like(args.v), dbias: like(args.bias!) };
    const g = floats(args.out.byteLength / 4);
    const run = (device: Engine) => attentionKernels(device).attentionBackward(args, { g, ...gradients });
    expectSplitsAlike(run, Object.values(gradients));
  });

  it('rope', () => {
    const [x, y, cos, sin] = [floats(2 * 3 * 5 * 8), empty(2 * 3 * 5 * 8), floats(5 * 4), floats(5 * 4)];
    const positions = upload(Int32Array.of(0, 1, 2, 3, 4, 4, 3, 2, 1, 0));
    const sizes = { batch: 2, heads: 3, tokens: 5, headDim: 8, rotaryDim: 8, tableRows: 5, strides: strides(3, 5) };
    const args = { x, y, positions, cos, sin, ...sizes, interleaved: false, inverse: false };
    expectSplitsAlike((device) => attentionKernels(device).rope(args), [y]);
  });

  it.each(['nf4', 'fp4'] as const)('%s there and back', (type) => {
    const [x, packed, absmax, y] = [floats(301), upload(new Uint8Array(151)), empty(5), empty(301)];
    expectSplitsAlike(
      (device) => quantizationKernels(device).quantize4bit(type, x, packed, absmax, 301, 64),
      [packed, absmax],
    );
    const nested = { absmaxCodes: null, nestedAbsmax: null, nestedCode: null, nestedOffset: 0, nestedBlockSize: 256 };
    const weight = { type, packed, size: 301, blockSize: 64, absmax, ...nested };
    expectSplitsAlike((device) => quantizationKernels(device).dequantize4bit(weight, y), [y]);
  });

  it('8 bits there and back', () => {
    const code = upload(Float32Array.from({ length: 256 }, (_, i) => (i - 128) / 128));
    const [x, codes, absmax, y] = [floats(301), upload(new Uint8Array(301)), empty(5), empty(301)];
    expectSplitsAlike(
      (device) => quantizationKernels(device).quantize8bit(x, code, codes, absmax, 301, 64),
      [codes, absmax],
    );
    expectSplitsAlike(
      (device) => quantizationKernels(device).dequantize8bit(codes, code, absmax, y, 301, 64, 0.5),
      [y],
    );
  });
});
