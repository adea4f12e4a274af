import { bceWithLogits, checkIds, checkLabels, crossEntropy, klDiv, mse, type Reduction } from '@burin/nn';
import { scope, type Tensor, tensor } from '@burin/tensor';
import {
  devices,
  dot,
  EXACT,
  expectClose,
  expectFixture,
  FLOAT32,
  fixtureCases,
  fixtureTensor,
  GRADIENT,
  numericGradient,
  readFixture,
  seededRandom,
} from '@burin/testing';
import * as reference from '@burin/testing/reference';
import { describe, expect, it } from 'vitest';

const int = (...values: number[]) => tensor(Int32Array.from(values));

describe.each(devices)('losses on %s agree with PyTorch', (device) => {
  const crossEntropyCases = fixtureCases('losses').filter((name) =>
    ['logits', 'labels', 'loss'].every((key) => readFixture('losses', name).has(key)),
  );

  it('in many cases', () => expect(crossEntropyCases.length).toBeGreaterThanOrEqual(10));

  it.each(crossEntropyCases.filter((name) => name !== 'causal_lm_shift'))('%s', async (name) => {
    const fixture = readFixture('losses', name);
    const { label_smoothing = 0, reduction = 'mean' } = fixture.manifest.config as {
      label_smoothing?: number;
      reduction?: Reduction;
    };
    const logits = fixtureTensor(fixture, 'logits', { device, requiresGrad: true });
    const classWeight = fixture.has('class_weight') ? fixtureTensor(fixture, 'class_weight', { device }) : null;
    const labels = fixtureTensor(fixture, 'labels', { device });
    const loss = crossEntropy(logits, labels, { labelSmoothing: label_smoothing, reduction, classWeight });
    loss.backward(fixture.has('d_loss') ? fixtureTensor(fixture, 'd_loss', { device }) : undefined);
    await expectFixture(fixture, 'loss', loss);
    await expectFixture(fixture, 'grad.logits', logits.grad);
  });

  it('bce_with_logits', async () => {
    const fixture = readFixture('losses', 'bce_with_logits');
    const logits = fixtureTensor(fixture, 'logits', { device, requiresGrad: true });
    const target = fixtureTensor(fixture, 'target', { device });
    const loss = bceWithLogits(logits, target);
    loss.backward();
    await expectFixture(fixture, 'loss', loss);
    await expectFixture(fixture, 'grad.logits', logits.grad);
    const posWeight = fixtureTensor(fixture, 'pos_weight', { device });
    await expectFixture(fixture, 'loss_pos_weight', bceWithLogits(logits, target, { posWeight }));
  });

  it('mse', async () => {
    const fixture = readFixture('losses', 'mse');
    const input = fixtureTensor(fixture, 'input', { device, requiresGrad: true });
    const target = fixtureTensor(fixture, 'target', { device });
    const loss = mse(input, target);
    loss.backward();
    await expectFixture(fixture, 'loss_mean', loss);
    await expectFixture(fixture, 'loss_sum', mse(input, target, { reduction: 'sum' }));
    await expectFixture(fixture, 'grad.input', input.grad);
  });

  it('kl_div', async () => {
    const fixture = readFixture('losses', 'kl_div');
    const student = fixtureTensor(fixture, 'student_logits', { device, requiresGrad: true });
    const teacher = fixtureTensor(fixture, 'teacher_logits', { device });
    const loss = klDiv(student, teacher);
    loss.backward();
    await expectFixture(fixture, 'loss_batchmean', loss);
    const distillation = klDiv(student, teacher, { temperature: fixture.number('temperature') });
    await expectFixture(fixture, 'loss_distillation', distillation);
    await expectFixture(fixture, 'grad.student_logits', student.grad);
  });
});

describe.each(devices)('crossEntropy on %s', (device) => {
  const [rows, cols] = [5, 7];
  const random = seededRandom(11);
  const xs = random.normal(rows * cols, 2);
  const labels = Int32Array.of(3, -100, 0, 6, 3);
  const weights = random.uniform(cols, 0.1, 3);

  const perRow = (at: ArrayLike<number>, weight: Float64Array | null, smoothing: number) => {
    const loss = new Float64Array(rows);
    const lse = new Float64Array(rows);
    reference.crossEntropy(Float64Array.from(at), labels, weight, loss, lse, rows, cols, -100, smoothing);
    return loss;
  };

  it.each([
    [0, false],
    [0.3, false],
    [0, true],
    [0.3, true],
  ])('has the value and gradient of the reference, smoothing %d, class weights %s', async (smoothing, weighted) => {
    const weight = weighted ? Float64Array.from(weights) : null;
    const counted = [...labels].reduce((sum, t) => sum + (t < 0 ? 0 : weighted ? weights[t]! : 1), 0);
    const seeds = { none: random.uniform(rows, -1, 1), sum: [1], mean: [1] };
    for (const reduction of ['none', 'sum', 'mean'] as const) {
      const expected = (at: ArrayLike<number>) => {
        const losses = perRow(at, weight, smoothing);
        if (reduction === 'none') return losses;
        const sum = losses.reduce((a, b) => a + b, 0);
        return [reduction === 'sum' ? sum : sum / counted];
      };
      const x = tensor(xs, [rows, cols], { device, requiresGrad: true });
      const classWeight = weighted ? tensor(weights, [cols], { device }) : null;
      const loss = crossEntropy(x, tensor(labels, [rows], { device }), {
        ...{ labelSmoothing: smoothing, classWeight, reduction },
      });
      loss.backward(tensor(Float32Array.from(seeds[reduction]), loss.shape, { device }));
      expectClose(await loss.data(), expected(xs), FLOAT32, reduction);
      const gradient = numericGradient((at) => dot(seeds[reduction], expected(at)), xs);
      expectClose(await x.grad!.data(), gradient, GRADIENT, reduction);
    }
  });

  it('takes labels of any shape, and another ignoreIndex', async () => {
    const x = tensor([0, 0, 5, 1, 2, 2, 7, 7], [2, 2, 2], { device });
    const one = crossEntropy(x, tensor(Int32Array.of(1, 0, 1, 1), [2, 2], { device }), { ignoreIndex: 0 });
    // rows 0, 2 and 3 count: each has two equal logits
    expectClose([await one.item()], [Math.LN2], FLOAT32);
  });

  it('widens float16 and bfloat16 logits', async () => {
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const stored = tensor([1.5, -2, 0.25], [1, 3], { device, dtype, requiresGrad: true }); // exact in both
      const wide = tensor([1.5, -2, 0.25], [1, 3], { device, requiresGrad: true });
      const losses = [stored, wide].map((x) => crossEntropy(x, int(1)));
      for (const loss of losses) loss.backward();
      expectClose(await losses[0]!.data(), await losses[1]!.data(), EXACT);
      expectClose(await stored.grad!.data(), await wide.grad!.data(), EXACT);
    }
  });

  it('is NaN as a mean over no label at all, as in PyTorch, and 0 as a sum', async () => {
    const x = tensor([1, 2], [1, 2], { device, requiresGrad: true });
    expect(await crossEntropy(x, int(-100)).item()).toBeNaN();
    const sum = crossEntropy(x, int(-100), { reduction: 'sum' });
    sum.backward();
    expect(await sum.item()).toBe(0);
    expectClose(await x.grad!.data(), [0, 0], EXACT);
  });

  it('is NaN for a label that is no class, in that row alone', async () => {
    const losses = await crossEntropy(tensor([1, 1, 1, 1], [2, 2], { device }), int(2, 0), {
      reduction: 'none',
    }).data();
    expect(losses[0]).toBeNaN();
    expectClose([losses[1]!], [Math.LN2], FLOAT32);
  });

  it('frees what it needs between', () => {
    const { memory } = tensor([0], [1], { device }).device;
    const x = tensor([1, 2], [1, 2], { device, requiresGrad: true });
    const [label, before] = [int(1), memory.liveBuffers];
    scope(() => crossEntropy(x, label, { classWeight: tensor([1, 2], [2], { device }) }).backward());
    expect(memory.liveBuffers).toBe(before + 1); // the gradient
  });

  it('says what does not fit', () => {
    const x = tensor([1, 2, 3, 4, 5, 6], [2, 3]);
    expect(() => crossEntropy(x, int(1))).toThrow(
      'crossEntropy: labels must have the shape of logits without the last axis: expected [2], got [1] (logits are [2,3])',
    );
    expect(() => crossEntropy(x, tensor([1, 2]))).toThrow(
      "crossEntropy: labels must be int32, got float32; convert them with .to('int32')",
    );
    expect(() => crossEntropy(x, int(1, 2), { classWeight: tensor([1, 2]) })).toThrow(
      'crossEntropy: classWeight must be one number a class: expected [3], got [2]',
    );
    expect(() => crossEntropy(x, int(1, 2), { classWeight: int(1, 2, 3) })).toThrow('must be float32, got int32');
    expect(() => crossEntropy(x, int(1, 2), { labelSmoothing: 1 })).toThrow(
      new RangeError('crossEntropy: labelSmoothing must be in [0, 1), got 1'),
    );
    expect(() => crossEntropy(x, int(1, 2), { ignoreIndex: 2 ** 32 })).toThrow(
      new RangeError('crossEntropy: ignoreIndex must be a whole number that int32 holds, got 4294967296'),
    );
    expect(() => crossEntropy(int(1, 2), int())).toThrow('a floating-point tensor is expected, got int32');
  });
});

describe.each(devices)('bceWithLogits on %s', (device) => {
  const shape = [3, 4];
  const random = seededRandom(5);
  const xs = random.normal(12, 3);
  const ts = random.uniform(12);
  const posWeights = random.uniform(4, 0.2, 5);
  const expected = (at: ArrayLike<number>, posWeight: ArrayLike<number> | null) => {
    const loss = new Float64Array(12);
    const weight = posWeight && Float64Array.from(posWeight);
    reference.bceWithLogits(Float64Array.from(at), Float64Array.from(ts), weight, loss, 3, 4);
    return loss;
  };

  it.each([null, posWeights])('has the value and gradient of the reference, positive weights %s', async (weights) => {
    const seed = random.uniform(12, -1, 1);
    const x = tensor(xs, shape, { device, requiresGrad: true });
    const posWeight = weights && tensor(weights, [4], { device });
    const loss = bceWithLogits(x, tensor(ts, shape, { device }), { posWeight, reduction: 'none' });
    loss.backward(tensor(seed, shape, { device }));
    expectClose(await loss.data(), expected(xs, weights), FLOAT32);
    expectClose(
      await x.grad!.data(),
      numericGradient((at) => dot(seed, expected(at, weights)), xs),
      GRADIENT,
    );
  });

  it('stays finite for large logits', async () => {
    const loss = bceWithLogits(tensor([1000, -1000], [2], { device }), tensor([0, 1], [2], { device }));
    expect(await loss.item()).toBe(1000);
  });

  it('says what does not fit', () => {
    expect(() => bceWithLogits(tensor([1, 2]), tensor([1]))).toThrow(
      'bceWithLogits: target must have the shape of logits: expected [2], got [1]',
    );
    expect(() => bceWithLogits(tensor([1, 2]), int(1, 0))).toThrow(
      'bceWithLogits: a floating-point tensor is expected, got int32',
    );
    expect(() => bceWithLogits(tensor([[1, 2]]), tensor([[1, 0]]), { posWeight: tensor([1]) })).toThrow(
      'bceWithLogits: posWeight must be one number a class: expected [2], got [1]',
    );
  });
});

describe.each(devices)('mse and klDiv on %s', (device) => {
  const random = seededRandom(6);
  const [as, bs] = [random.normal(12), random.normal(12)];
  const pair = (options = {}): [Tensor, Tensor] => [
    tensor(as, [3, 4], { device, requiresGrad: true }),
    tensor(bs, [3, 4], { device, ...options }),
  ];

  it('mse gives both operands their gradients', async () => {
    const [a, b] = pair({ requiresGrad: true });
    const loss = mse(a, b);
    loss.backward();
    const expected = (x: ArrayLike<number>, y: ArrayLike<number>) =>
      Array.from(x).reduce((sum, value, i) => sum + (value - y[i]!) ** 2, 0) / 12;
    expectClose([await loss.item()], [expected(as, bs)], FLOAT32);
    expectClose(
      await a.grad!.data(),
      numericGradient((at) => expected(at, bs), as),
      GRADIENT,
    );
    expectClose(
      await b.grad!.data(),
      numericGradient((at) => expected(as, at), bs),
      GRADIENT,
    );
    expect((await mse(a, b, { reduction: 'none' }).data()).length).toBe(12);
  });

  it.each([1, 3])('klDiv has the gradient of the reference at temperature %d, none for the teacher', async (T) => {
    const softmax = (row: number[]) => {
      const e = row.map((value) => Math.exp(value / T));
      return e.map((value) => value / e.reduce((a, b) => a + b, 0));
    };
    const expected = (x: ArrayLike<number>) => {
      let sum = 0;
      for (let row = 0; row < 3; row++) {
        const [s, t] = [x, bs].map((values) => softmax(Array.from(values).slice(row * 4, row * 4 + 4)));
        for (let c = 0; c < 4; c++) sum += t![c]! * Math.log(t![c]! / s![c]!);
      }
      return T * T * sum;
    };
    const [student, teacher] = pair({ requiresGrad: true });
    const loss = klDiv(student, teacher, { temperature: T, reduction: 'sum' });
    loss.backward();
    expectClose([await loss.item()], [expected(as)], FLOAT32);
    expectClose(await student.grad!.data(), numericGradient(expected, as), GRADIENT);
    expect(teacher.grad).toBeNull();
    expectClose([await klDiv(student, teacher, { temperature: T }).item()], [expected(as) / 3], FLOAT32);
    expectClose([await klDiv(student, student).item()], [0], FLOAT32);
  });

  it('say which options and reductions there are, as the other losses do', () => {
    const x = tensor([[1, 2]]);
    const losses = {
      crossEntropy: (options: object) => crossEntropy(x, int(1), options),
      bceWithLogits: (options: object) => bceWithLogits(x, x, options),
      mse: (options: object) => mse(x, x, options),
      klDiv: (options: object) => klDiv(x, x, options),
    };
    for (const [name, loss] of Object.entries(losses)) {
      const reductions = name === 'klDiv' ? 'batchmean or sum' : 'mean or sum or none';
      expect(() => loss({ reduction: 'avg' })).toThrow(
        new RangeError(`${name}: reduction must be ${reductions}, got avg`),
      );
      expect(() => loss({ ignore_index: 0 })).toThrow(`${name}: there is no option ignore_index; expected `);
    }
    expect(() => crossEntropy(x, int(1), { label_smoothing: 0.1 } as object)).toThrow(
      'expected ignoreIndex, labelSmoothing, classWeight, reduction',
    );
  });

  it('say what does not fit', () => {
    expect(() => mse(tensor([1, 2]), tensor([1]))).toThrow(
      'mse: target must have the shape of input: expected [2], got [1]',
    );
    expect(() => klDiv(tensor([[1, 2]]), tensor([1, 2]))).toThrow(
      'klDiv: teacher must have the shape of student: expected [1,2], got [2]',
    );
    expect(() => klDiv(tensor([1]), tensor([1]), { temperature: 0 })).toThrow(
      new RangeError('klDiv: temperature must be greater than 0, got 0'),
    );
  });
});

describe('checks on the host', () => {
  it('take ids of the vocabulary and labels of the classes', () => {
    checkIds([0, 4], 5, 'test');
    checkLabels([0, 4, -100], 5, 'test');
    checkLabels([0, 4, -1], 5, 'test', -1);
  });

  it('name the first that is none, and its place', () => {
    expect(() => checkIds([0, 5], 5, 'load')).toThrow(
      new RangeError('load: ids must be whole numbers from 0 to 4, got 5 at 1'),
    );
    expect(() => checkIds([-1], 5, 'load')).toThrow('got -1 at 0');
    expect(() => checkIds([0.5], 5, 'load')).toThrow('got 0.5 at 0');
    expect(() => checkLabels([1, 2, 7], 5, 'row 3')).toThrow(
      new RangeError('row 3: labels must be whole numbers from 0 to 4, or -100, got 7 at 2'),
    );
    expect(() => checkLabels([-100], 5, 'row 3', -1)).toThrow('or -1, got -100 at 0');
  });
});
