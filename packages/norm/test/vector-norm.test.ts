import { type NormOrder, vectorNorm } from '@burin/norm';
import { tensor, zeros } from '@burin/tensor';
import {
  checkGradient,
  devices,
  EXACT,
  expectClose,
  expectFixture,
  FLOAT32,
  fixtureTensor,
  readFixture,
} from '@burin/testing';
import { describe, expect, it } from 'vitest';

const ORDERS: readonly NormOrder[] = [1, 2, Infinity];

function norm(x: ArrayLike<number>, ord: NormOrder): number {
  const sizes = Array.from(x, Math.abs);
  if (ord === Infinity) return Math.max(...sizes);
  return sizes.reduce((sum, size) => sum + size ** ord, 0) ** (1 / ord);
}

describe.each(devices)('vectorNorm on %s', (device) => {
  it('of [3, −4] is 7, 5 and 4', async () => {
    const x = tensor([3, -4], [2], { device });
    expect(await Promise.all(ORDERS.map((ord) => vectorNorm(x, { ord }).item()))).toEqual([7, 5, 4]);
  });

  it.each(ORDERS)('%s over all elements has the gradient of the reference', async (ord) => {
    await checkGradient({
      device,
      shapes: [[3, 5]],
      run: ([x]) => vectorNorm(x!, { ord }),
      reference: ([x]) => [norm(x!, ord)],
    });
  });

  it.each(ORDERS)('%s along an axis has the gradient of the reference', async (ord) => {
    const rows = (x: Float64Array) => [0, 1, 2].map((row) => norm(x.subarray(5 * row, 5 * row + 5), ord));
    const columns = (x: Float64Array) =>
      [0, 1, 2, 3, 4].map((col) =>
        norm(
          x.filter((_, i) => i % 5 === col),
          ord,
        ),
      );
    await checkGradient({
      device,
      shapes: [[3, 5]],
      run: ([x]) => vectorNorm(x!, { ord, axes: -1 }),
      reference: ([x]) => rows(x!),
    });
    await checkGradient({
      device,
      shapes: [[3, 5]],
      run: ([x]) => vectorNorm(x!, { ord, axes: [0], keepdim: true }),
      reference: ([x]) => columns(x!),
    });
  });

  it('keeps or drops the reduced axes', () => {
    const x = zeros([2, 3, 4], { device });
    for (const ord of ORDERS) {
      expect(vectorNorm(x, { ord, axes: [0, -1] }).shape).toEqual([3]);
      expect(vectorNorm(x, { ord, axes: [0, -1], keepdim: true }).shape).toEqual([1, 3, 1]);
    }
  });

  it.each(ORDERS)('%s has gradient 0 at the zero vector', async (ord) => {
    const x = tensor([0, 0, 3, 4], [2, 2], { device, requiresGrad: true });
    vectorNorm(x, { ord, axes: 1 }).sum().backward();
    const unit = { 1: [1, 1], 2: [0.6, 0.8], Infinity: [0, 1] }[ord]!;
    expectClose(await x.grad!.data(), [0, 0, ...unit], FLOAT32);
  });

  it('shares the gradient among equal largest elements', async () => {
    const x = tensor([2, -2, 1], [3], { device, requiresGrad: true });
    vectorNorm(x, { ord: Infinity }).backward();
    expectClose(await x.grad!.data(), [0.5, -0.5, 0], EXACT);
  });

  it('agrees with PyTorch', async () => {
    const fixture = readFixture('norm', 'vector_norms');
    for (const [name, ord] of [
      ['l1', 1],
      ['l2', 2],
      ['linf', Infinity],
    ] as const) {
      const x = fixtureTensor(fixture, 'x', { device, requiresGrad: true });
      await expectFixture(fixture, `${name}.rows`, vectorNorm(x, { ord, axes: 1 }));
      const all = vectorNorm(x, { ord });
      all.backward();
      await expectFixture(fixture, `${name}.all`, all);
      await expectFixture(fixture, `grad.${name}.all.x`, x.grad);
    }
  });

  it('passes NaN on', async () => {
    const x = tensor([1, NaN], [2], { device });
    for (const ord of ORDERS) expect(await vectorNorm(x, { ord }).item()).toBeNaN();
  });

  it('refuses another order', () => {
    expect(() => vectorNorm(zeros([2]), { ord: 3 as 2 })).toThrow('vectorNorm: ord must be 1, 2 or Infinity, got 3');
    expect(() => vectorNorm(zeros([2]), 1 as never)).toThrow(
      'vectorNorm: options have names: expected { ord, axes, keepdim }, got 1',
    );
  });
});
