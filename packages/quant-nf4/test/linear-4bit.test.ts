import { Linear, Parameter } from '@burin/nn';
import { CpuDevice, Generator, noGrad, ShapeError, scope, tensor, zeros } from '@burin/tensor';
import { dot, expectClose, numericGradient, readFixture, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import {
  type CheckpointEntry,
  fromBitsandbytes,
  Linear4bit,
  linear4bit,
  NF4_CODE,
  quantize4bit,
} from '../src/index.js';

const GRADIENT = { rtol: 1e-5, atol: 1e-6 }; // float32 sums of at most 13 products against float64
const SAME = { rtol: 1e-5, atol: 1e-5 }; // the same products, summed in another order

const rng = new Generator(3);

describe("Linear4bit gives bitsandbytes' results: nf4_linear", () => {
  const fixture = readFixture('nf4', 'nf4_linear');

  it('forward and gradient of x', async () => {
    const weight = new Parameter(tensor(fixture.floats('weight_original'), fixture.shape('weight_original')));
    const linear = Linear.from(weight, new Parameter(tensor(fixture.floats('bias'), fixture.shape('bias'))));
    const layer = await Linear4bit.fromLinear(linear, { doubleQuant: true });
    const close = (values: ArrayLike<number>, name: string) =>
      expectClose(values, fixture.floats(name), fixture.tolerance(name), name);
    close(await layer.floatWeight().data(), 'weight_dequantized');
    const x = tensor(fixture.floats('x'), fixture.shape('x'), { requiresGrad: true });
    const y = layer.forward(x);
    close(await y.data(), 'out');
    y.backward(tensor(fixture.floats('d_out'), fixture.shape('d_out')));
    close(await x.grad!.data(), 'grad.x');
  });
});

describe('Linear4bit', () => {
  const [rows, inner, out] = [3, 13, 7]; // 91 elements: blocks cross rows, and the last is shorter
  const random = seededRandom(8);
  const [xs, seed] = [random.normal(rows * inner), random.normal(rows * out)];
  const linear = new Linear(inner, out, { rng });

  it.each([
    { type: 'nf4' as const, doubleQuant: false, blockSize: 64 },
    { type: 'nf4' as const, doubleQuant: true, blockSize: 32 },
    { type: 'fp4' as const, doubleQuant: true, blockSize: 64 },
  ])('equals a plain layer that holds the dequantized weight: %j', async (options) => {
    const layer = await Linear4bit.fromLinear(linear, options);
    const plain = layer.toLinear();
    const [x, z] = [0, 1].map(() => tensor(xs, [1, rows, inner], { requiresGrad: true }));
    const [y, expected] = [layer.forward(x!), plain.forward(z!)];
    expect(y.shape).toEqual([1, rows, out]);
    expectClose(await y.data(), await expected.data(), SAME);
    for (const result of [y, expected]) result.backward(tensor(seed, [1, rows, out]));
    expectClose(await x!.grad!.data(), await z!.grad!.data(), SAME);
  });

  it('has the gradient of the reference for x and bias, added to what is there', async () => {
    const layer = await Linear4bit.fromLinear(linear);
    const [weight, bias] = [await layer.floatWeight().data(), await layer.bias!.data()];
    layer.bias!.zeroGrad();
    const x = tensor(xs, [rows, inner], { requiresGrad: true });
    for (let turn = 0; turn < 2; turn++) layer.forward(x).backward(tensor(seed, [rows, out]));
    const reference = (x: ArrayLike<number>, b: ArrayLike<number>) => {
      const y = Float64Array.from({ length: rows * out }, (_, at) => {
        const [r, o] = [Math.floor(at / out), at % out];
        return dot(Array.from(x).slice(r * inner, (r + 1) * inner), weight.slice(o * inner, (o + 1) * inner)) + b[o]!;
      });
      return dot(seed, y);
    };
    const twice = (gradient: Float64Array) => gradient.map((value) => 2 * value);
    expectClose(await x.grad!.data(), twice(numericGradient((at) => reference(at, bias), xs)), GRADIENT);
    expectClose(await layer.bias!.grad!.data(), twice(numericGradient((at) => reference(xs, at), bias)), GRADIENT);
  });

  it('trains the bias alone where x needs no gradient, and works without a bias', async () => {
    const layer = await Linear4bit.fromLinear(linear);
    layer.bias!.zeroGrad();
    layer
      .forward(tensor(xs, [rows, inner]))
      .sum()
      .backward();
    expectClose(await layer.bias!.grad!.data(), new Float32Array(out).fill(rows), GRADIENT);
    const bare = await Linear4bit.fromLinear(new Linear(inner, out, { bias: false, rng }));
    expect(bare.bias).toBeNull();
    expect(bare.forward(tensor(xs, [rows, inner])).requiresGrad).toBe(false);
  });

  it('holds codes as buffers, which nobody trains', async () => {
    const layer = await Linear4bit.fromLinear(linear, { doubleQuant: true });
    expect([...layer.namedParameters()].map(([name]) => name)).toEqual(['bias']);
    expect([...layer.namedBuffers()].map(([name]) => name)).toEqual([
      'weight.packed',
      'weight.absmax_codes',
      'weight.nested_absmax',
      'weight.nested_code',
    ]);
  });

  it('keeps its codes until the backward pass has read them', async () => {
    const layer = await Linear4bit.fromLinear(linear);
    const expected = dot(await layer.floatWeight().sum(0).data(), new Float32Array(inner).fill(1));
    const x = tensor(xs, [rows, inner], { requiresGrad: true });
    const y = layer.forward(x).sum();
    layer.weight.dispose();
    zeros([out, inner]); // takes memory that was freed
    y.backward();
    expect(await x.grad!.sum().item()).toBeCloseTo(rows * expected, 3);
  });

  it.each(['float16', 'bfloat16'] as const)(
    'leaves no widened copy of %s behind, outside every scope too',
    async (dtype) => {
      const weight = await quantize4bit(zeros([5, 12]));
      const [x, bias] = [zeros([2, 12], { dtype }), new Parameter(zeros([5], { dtype }))];
      const { memory } = x.device;
      const before = memory.liveBuffers;
      noGrad(() => linear4bit(x, weight, bias)).dispose();
      linear4bit(x, weight, bias).dispose();
      expect(memory.liveBuffers).toBe(before);
    },
  );

  it('names the shapes that do not fit', async () => {
    const layer = await Linear4bit.fromLinear(linear);
    expect(() => layer.forward(zeros([2, 12]))).toThrow(
      new ShapeError(
        "linear4bit: the last axis of x must have the weight's input length: expected [..., 13], got [2,12] (weight is [7,13])",
      ),
    );
    const bias = new Parameter(zeros([6]));
    expect(() => linear4bit(zeros([2, 13]), layer.weight, bias)).toThrow(
      "bias must have the weight's output length: expected [7], got [6]",
    );
    expect(() => new Linear4bit(layer.weight, bias)).toThrow(
      'the weight must be [out, in] and the bias [out], got [7,13] and [6]',
    );
    const row = new Parameter(zeros([1, 7])); // as many numbers, but a gradient of another shape
    expect(() => linear4bit(zeros([2, 13]), layer.weight, row)).toThrow('expected [7], got [1,7]');
    expect(() => new Linear4bit(layer.weight, row)).toThrow('got [7,13] and [1,7]');
    const vector = await quantize4bit(zeros([5]));
    expect(() => new Linear4bit(vector)).toThrow('got [5] and none');
    layer.weight.dispose();
    expect(() => layer.forward(zeros([2, 13]))).toThrow('is used after it was freed');
  });

  it('never holds the whole float weight, forward or backward', async () => {
    const [out, inner, rows] = [2048, 2049, 4];
    const floatBytes = 4 * out * inner; // 16.8 MB
    const device = new CpuDevice();
    const layer = new Linear4bit(fromBitsandbytes(someWeight(out, inner), 'weight', { device }));
    const x = tensor(seededRandom(1).normal(rows * inner), [rows, inner], { device, requiresGrad: true });
    device.memory.resetPeak();
    scope(() => layer.forward(x).sum().backward());
    const activations = 4 * rows * (2 * inner + 2 * out) + 64; // x, its gradient, y, its gradient; two sums
    expect(device.memory.peakBytes).toBeLessThanOrEqual(layer.weight.byteLength + activations);
    // nor does the kernels' own workspace: all of the memory that the device ever took
    expect(device.engine.memory.buffer.byteLength).toBeLessThan(floatBytes / 2);
  });
});

/** A checkpoint of a weight whose codes are some bytes. */
function someWeight(out: number, inner: number): Map<string, CheckpointEntry> {
  const bytes = (values: Float32Array) => new Uint8Array(Float32Array.from(values).buffer);
  const blocks = Math.ceil((out * inner) / 64);
  const state = new TextEncoder().encode(
    JSON.stringify({ quant_type: 'nf4', blocksize: 64, dtype: 'float32', shape: [out, inner] }),
  );
  const packed = Uint8Array.from({ length: (out * inner) / 2 }, (_, i) => (i * 37) % 256);
  return new Map([
    ['weight', { dtype: 'U8', shape: [packed.length, 1], data: packed }],
    ['weight.absmax', { dtype: 'F32', shape: [blocks], data: bytes(new Float32Array(blocks).fill(0.1)) }],
    ['weight.quant_map', { dtype: 'F32', shape: [16], data: bytes(Float32Array.from(NF4_CODE)) }],
    ['weight.quant_state.bitsandbytes__nf4', { dtype: 'U8', shape: [state.length], data: state }],
  ]);
}
