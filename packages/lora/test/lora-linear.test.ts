import { Dropout } from '@burin/nn';
import { Generator, ShapeError, tensor, zeros } from '@burin/tensor';
import { dot, EXACT, expectClose, numericGradient, readFixture, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { addLowRank } from '../src/index.js';
import { input, linearOf, loraWith } from './layers.js';

const GRADIENT = { rtol: 1e-5, atol: 1e-6 }; // float32 sums of at most 15 products against float64

describe.each(['lora_linear', 'rslora_linear'])('LoraLinear gives what PEFT gives: %s', (name) => {
  const fixture = readFixture('lora', name);
  const close = (values: ArrayLike<number>, tensorName: string) =>
    expectClose(values, fixture.floats(tensorName), fixture.tolerance(tensorName), tensorName);
  const build = () => {
    const base = linearOf(fixture.floats('base.weight'), fixture.floats('base.bias'), fixture.shape('base.weight'));
    const useRslora = fixture.manifest.config.use_rslora === true;
    const alpha = fixture.number('lora_alpha');
    return loraWith(base, fixture.floats('lora_A.weight'), fixture.floats('lora_B.weight'), { alpha, useRslora });
  };

  it('forward and gradients', async () => {
    const { lora, layer, a, b } = build();
    expect(layer.scaling.get('default')).toBe(fixture.number('scaling'));
    const x = tensor(fixture.floats('x'), fixture.shape('x'), { requiresGrad: true });
    const y = lora.model.forward(x);
    close(await y.data(), 'out');
    y.backward(tensor(fixture.floats('d_out'), fixture.shape('d_out')));
    close(await x.grad!.data(), 'grad.x');
    close(await a.grad!.data(), 'grad.lora_A.weight');
    close(await b.grad!.data(), 'grad.lora_B.weight');
  });

  it('merged weight and output', async () => {
    const { lora, layer } = build();
    await lora.merge();
    close(await layer.floatWeight().data(), 'merged_weight');
    const x = tensor(fixture.floats('x'), fixture.shape('x'));
    close(await lora.model.forward(x).data(), 'out_merged');
  });
});

describe('LoraLinear', () => {
  const [rows, inner, out, rank] = [3, 5, 7, 2];
  const random = seededRandom(4);
  const [xs, ws, as, bs, seed] = [rows * inner, out * inner, rank * inner, out * rank, rows * out].map((n) =>
    random.normal(n!),
  ) as [Float32Array, Float32Array, Float32Array, Float32Array, Float32Array];
  const alpha = 3;

  /** Σ seed · (x Wᵀ + alpha/rank · x Aᵀ Bᵀ), in float64. */
  function reference(x: ArrayLike<number>, a: ArrayLike<number>, b: ArrayLike<number>): number {
    const y = new Float64Array(rows * out);
    for (let r = 0; r < rows; r++) {
      for (let o = 0; o < out; o++) {
        for (let i = 0; i < inner; i++) {
          let weight = ws[o * inner + i]!;
          for (let k = 0; k < rank; k++) weight += (alpha / rank) * b[o * rank + k]! * a[k * inner + i]!;
          y[r * out + o]! += weight * x[r * inner + i]!;
        }
      }
    }
    return dot(seed, y);
  }

  it('has the gradient of the reference, added to what is there', async () => {
    const { lora, a, b } = loraWith(linearOf(ws, null, [out, inner]), as, bs, { alpha });
    const x = tensor(xs, [rows, inner], { requiresGrad: true });
    for (let turn = 0; turn < 2; turn++) lora.model.forward(x).backward(tensor(seed, [rows, out]));
    const twice = (gradient: Float64Array) => gradient.map((value) => 2 * value);
    expectClose(await x.grad!.data(), twice(numericGradient((at) => reference(at, as, bs), xs)), GRADIENT);
    expectClose(await a.grad!.data(), twice(numericGradient((at) => reference(xs, at, bs), as)), GRADIENT);
    expectClose(await b.grad!.data(), twice(numericGradient((at) => reference(xs, as, at), bs)), GRADIENT);
  });

  it('starts at the base, to the bit, with A within ±1/√in', async () => {
    const base = linearOf(ws, null, [out, inner]);
    const x = tensor(xs, [rows, inner]);
    const before = await base.forward(x).data();
    const { lora, layer } = loraWith(base, as, new Float32Array(out * rank));
    expectClose(await lora.model.forward(x).data(), before, EXACT);
    lora.addAdapter('fresh', { rank: 4, targetModules: 'layer', rng: new Generator(7) });
    const fresh = await layer.lora_A.get('fresh')!.weight.data();
    expect(Math.max(...fresh.map(Math.abs))).toBeLessThanOrEqual(1 / Math.sqrt(inner));
    expect(Math.max(...fresh.map(Math.abs))).toBeGreaterThan(0.5 / Math.sqrt(inner));
    expect(new Set(fresh).size).toBe(fresh.length);
    expectClose(await layer.lora_B.get('fresh')!.weight.data(), new Float32Array(out * 4), EXACT);
  });

  it('takes any leading axes and an empty batch', async () => {
    const { lora } = loraWith(linearOf(ws, null, [out, inner]), as, bs);
    const flat = await lora.model.forward(tensor(xs, [3, inner])).data();
    const deep = lora.model.forward(tensor(xs, [3, 1, inner]));
    expect(deep.shape).toEqual([3, 1, out]);
    expectClose(await deep.data(), flat, EXACT);
    expect(lora.model.forward(zeros([0, inner])).shape).toEqual([0, out]);
  });

  it('drops inputs of A in training only', async () => {
    const { lora, layer } = loraWith(linearOf(ws, null, [out, inner]), as, bs, { dropout: 0.5 });
    expect(layer.loraDropout.get('default')).toBeInstanceOf(Dropout);
    const x = tensor(xs, [rows, inner]);
    const [first, second] = [await lora.model.forward(x).data(), await lora.model.forward(x).data()];
    expect(first).not.toEqual(second);
    lora.model.eval();
    const { lora: plain } = loraWith(linearOf(ws, null, [out, inner]), as, bs);
    expectClose(await lora.model.forward(x).data(), await plain.model.forward(x).data(), EXACT);
  });

  it('reads the weight that forward multiplies by', async () => {
    const { lora, layer } = loraWith(linearOf(ws, null, [out, inner]), as, bs);
    const x = tensor(xs, [rows, inner]);
    const y = x.matmul(layer.floatWeight(), { transposeB: true });
    expectClose(await y.data(), await lora.model.forward(x).data(), { rtol: 1e-5, atol: 1e-6 }); // another order of sums
    lora.disable();
    expectClose(await layer.floatWeight().data(), ws, EXACT);
  });

  it('adds to a copy where somebody else looks at what the base gave', async () => {
    const y = input([2, 3]);
    const before = await y.data();
    const view = y.alias();
    const sum = addLowRank(y, input([2, 1]), input([3, 1]), 1);
    expectClose(await view.data(), before, EXACT);
    expect(await sum.data()).not.toEqual(before);
  });

  it('names the shapes that do not fit', () => {
    expect(() => addLowRank(zeros([2, 3]), zeros([2, 4]), zeros([3, 5]), 1)).toThrow(
      new ShapeError('addLowRank: y must be [..., out], down [..., R] and up [out, R], got [2,3], [2,4] and [3,5]'),
    );
  });
});
