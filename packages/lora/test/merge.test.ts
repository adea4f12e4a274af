import { Conv1D, Linear, type LinearLike, Module, Parameter } from '@burin/nn';
import { cpu, Generator, noGrad, scope, type Tensor, tensor } from '@burin/tensor';
import { EXACT, expectClose, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { applyLora, LoraLinear } from '../src/index.js';
import { input, linearOf, OneLinear, train } from './layers.js';
import { TinyModel } from './tiny-model.js';

const rng = new Generator(0);
const MERGED = { rtol: 1e-4, atol: 1e-5 }; // W·x + s·B·(A·x) against (W + s·B·A)·x, through two layers
const ROUNDED = { rtol: 2e-2, atol: 2e-2 }; // the merged weight is stored as bfloat16: 2^-9 of it

function build(options = {}) {
  const model = new TinyModel({ width: 12 });
  const x = input([5, 12]);
  const lora = applyLora(model, { rank: 2, alpha: 4, rng, ...options });
  train(lora);
  return { model, x, lora };
}

const weights = async (model: Module) =>
  Promise.all([...model.namedParameters()].map(async ([name, parameter]) => [name, await parameter.bytes()]));

/** A base that is not stored as floats, and says its weight only in full: as a 4-bit one does. */
class Packed extends Module implements LinearLike {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: Parameter | null = null;
  readonly #weight: Tensor;

  constructor(linear: Linear) {
    super();
    this.inFeatures = linear.inFeatures;
    this.outFeatures = linear.outFeatures;
    this.#weight = linear.weight.alias();
  }

  forward(x: Tensor): Tensor {
    return x.matmul(this.#weight, { transposeB: true });
  }

  floatWeight(): Tensor {
    return this.#weight.detach();
  }
}

describe('merge', () => {
  it('gives what the adapters gave, and unmerge the first weights, to the bit', async () => {
    const { model, x, lora } = build();
    const [before, logits] = [await weights(model), await model.forward(x).data()];
    await lora.merge();
    expect(lora.merged).toEqual(['default']);
    expectClose(await model.forward(x).data(), logits, MERGED);
    lora.unmerge();
    expect(await weights(model)).toEqual(before);
    expectClose(await model.forward(x).data(), logits, EXACT);
  });

  it('merges several adapters, each with its scale', async () => {
    const { model, x, lora } = build({ targetModules: ['q_proj'] });
    lora.addAdapter('second', { rank: 3, alpha: 9, targetModules: ['q_proj', 'o_proj'], rng }, { active: true });
    train(lora, 'second', 8);
    const logits = await model.forward(x).data();
    const { adapters, layers } = await lora.merge();
    expect(adapters).toEqual(['default', 'second']);
    expect(layers.map((name) => name.split('.').at(-1))).toEqual(['q_proj', 'o_proj', 'q_proj', 'o_proj']);
    expectClose(await model.forward(x).data(), logits, MERGED);
  });

  it('keeps how a float base is stored', async () => {
    const base = linearOf(seededRandom(1).normal(12), null, [3, 4], 'bfloat16');
    const lora = applyLora(new OneLinear(base), { rank: 2, rng });
    train(lora);
    await lora.mergeAndUnload();
    expect(lora.model.layer.weight.dtype).toBe('bfloat16');
  });

  it('keeps a layer that stores its weight as [in, out]', async () => {
    const weight = new Parameter(tensor(seededRandom(1).normal(9), [3, 3], { dtype: 'bfloat16' }));
    const model = new OneLinear(new Conv1D(weight, new Parameter(tensor([1, 2, 3]))));
    const lora = applyLora(model, { rank: 2, rng });
    train(lora);
    const x = input([4, 3]);
    const y = await model.forward(x).data();
    await lora.merge();
    expectClose(await model.forward(x).data(), y, ROUNDED);
    lora.unmerge();
    expectClose(await model.forward(x).data(), y, EXACT);
    await lora.mergeAndUnload();
    expect(model.layer).toBeInstanceOf(Conv1D);
    expect(model.layer.weight.dtype).toBe('bfloat16');
    expectClose(await model.forward(x).data(), y, ROUNDED);
  });

  it('leaves a plain model behind that is trainable again, and frees the rest', async () => {
    const { memory } = cpu();
    const fresh = new TinyModel({ width: 12 });
    const bytes = memory.liveBytes;
    const { model, x, lora } = build({ modulesToSave: ['lm_head'], bias: 'all' });
    const run = () => scope(() => noGrad(() => model.forward(x)));
    const [before, { model: plain }, after] = [run(), await lora.mergeAndUnload(), run()];
    expect(plain).toBe(model);
    expect([...model.namedModules()].some(([, module]) => module instanceof LoraLinear)).toBe(false);
    expect([...model.namedParameters()].map(([name]) => name)).toEqual(
      [...fresh.namedParameters()].map(([name]) => name),
    );
    expect(model.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
    expectClose(await after.data(), await before.data(), MERGED);
    for (const held of [before, after, x, model]) held.dispose();
    expect(memory.liveBytes).toBe(bytes);
  });

  it('does not free a weight that another module shares', async () => {
    const model = new TinyModel({ width: 12, layers: 1 });
    const { selfAttn } = model.model.layers[0]!;
    selfAttn.qProj = Linear.from(selfAttn.oProj.weight);
    const lora = applyLora(model, { rank: 2, targetModules: ['q_proj'], rng });
    train(lora);
    const shared = await selfAttn.oProj.weight.data();
    await lora.mergeAndUnload();
    expectClose(await selfAttn.oProj.weight.data(), shared, EXACT);
    expect(await selfAttn.qProj.weight.data()).not.toEqual(shared);
  });

  it('runs once, and not while adapters are disabled', async () => {
    const { model, lora } = build();
    await lora.merge();
    lora.disable();
    await expect(lora.mergeAndUnload()).rejects.toThrow(
      'mergeAndUnload: adapters must be enabled, got disabled ones; call enable() first',
    );
    lora.enable();
    await lora.mergeAndUnload();
    const next = applyLora(model, { rank: 2, rng });
    await expect(lora.mergeAndUnload()).rejects.toThrow('mergeAndUnload: the adapters were unloaded from this model');
    expect([...next.layers()]).toHaveLength(8);
  });

  it('runs after a merge that was made before', async () => {
    const { lora } = build();
    const report = await lora.merge();
    expect((await lora.mergeAndUnload()).report).toBe(report);
  });
});

describe('promise 8: merging says what it changes', () => {
  it('measures the largest difference in logits, in evaluation mode', async () => {
    const { model, x, lora } = build({ dropout: 0.5 });
    const modes = () => [...model.namedModules()].map(([, { training }]) => training);
    model.train();
    const before = modes();
    const report = await lora.merge({ probe: () => model.forward(x) });
    expect(modes()).toEqual(before);
    expect(report.largestDifference).toBeGreaterThan(0);
    expect(report.largestDifference).toBeLessThan(1e-4); // the same sums in another order
    expect(report.layers).toHaveLength(8);
    expect(report.dequantized).toEqual([]);
  });

  it('sees a difference that is there', async () => {
    const { model, x, lora } = build();
    lora.model.eval();
    let turn = 0;
    const report = await lora.merge({
      probe: () =>
        model
          .forward(x)
          .mul(0)
          .add(turn++ * 0.25),
    });
    expect(report.largestDifference).toBe(0.25);
  });

  it('has no figure where nothing was measured', async () => {
    expect((await build().lora.merge()).largestDifference).toBeNull();
  });

  it('merges into the float weight of a base that is not stored so, says so, and puts the base back', async () => {
    const plain = new Linear(6, 5, { bias: false, rng });
    const model = new OneLinear(new Packed(plain) as unknown as Linear);
    const lora = applyLora(model, { rank: 2, rng });
    train(lora);
    const x = input([3, 6]);
    const logits = await model.forward(x).data();
    const report = await lora.merge({ probe: () => model.forward(x) });
    expect(report.dequantized).toEqual(['layer']);
    expectClose(await model.forward(x).data(), logits, MERGED);
    const { baseLayer } = model.getModule('layer') as LoraLinear;
    expect(baseLayer).toBeInstanceOf(Linear);
    lora.unmerge();
    expectClose(await model.forward(x).data(), logits, EXACT);
    await lora.mergeAndUnload();
    expect(model.layer).toBeInstanceOf(Linear);
  });
});
