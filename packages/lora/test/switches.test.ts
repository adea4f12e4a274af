import { Generator } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { applyLora, type LoraModel } from '../src/index.js';
import { input, train } from './layers.js';
import { TinyClassifier, TinyModel } from './tiny-model.js';

const rng = new Generator(0);
const SUMS = { rtol: 1e-5, atol: 1e-5 }; // the same sums in another order, through two layers

function build(options = {}) {
  const model = new TinyModel({ width: 8, bias: true });
  const x = input([3, 8]);
  const lora = applyLora(model, { rank: 2, targetModules: ['q_proj', 'v_proj'], rng, ...options });
  return { model, x, lora, run: () => model.forward(x).data() };
}

/** Names of what is trained, without the paths. */
const trained = (lora: LoraModel) =>
  new Set(
    [...lora.model.namedParameters()]
      .filter(([, { requiresGrad }]) => requiresGrad)
      .map(([name]) => name.split('.').at(-2)),
  );

describe('promise 10: active and trainable are two switches', () => {
  it('adding, activating, disabling and merging one adapter makes no other trainable', async () => {
    const { lora } = build();
    train(lora);
    lora.setTrainable('default', false);
    lora.addAdapter('second', { rank: 2, targetModules: ['q_proj'], rng });
    expect(trained(lora)).toEqual(new Set(['second']));
    lora.setActive(['default', 'second']);
    expect(trained(lora)).toEqual(new Set(['second']));
    lora.setActive('default');
    expect(trained(lora)).toEqual(new Set(['second']));
    lora.disable();
    lora.enable();
    await lora.merge();
    expect(trained(lora)).toEqual(new Set(['second']));
    lora.unmerge();
    expect(trained(lora)).toEqual(new Set(['second']));
    lora.setTrainable('second', false);
    expect(trained(lora)).toEqual(new Set());
    lora.deleteAdapter('second');
    expect(trained(lora)).toEqual(new Set());
  });

  it('changing what is trained does not change what is active', () => {
    const { lora } = build();
    lora.addAdapter('second', { rank: 2, targetModules: ['q_proj'], rng }, { trainable: false });
    expect(lora.active).toEqual(['default']);
    lora.setTrainable('second');
    lora.setTrainable('default', false);
    expect(lora.active).toEqual(['default']);
  });

  it('an adapter that is not active gets no gradient', () => {
    const { lora, model, x } = build();
    lora.addAdapter('second', { rank: 2, targetModules: ['q_proj'], rng });
    model.forward(x).sum().backward();
    for (const [name, parameter] of model.namedParameters()) {
      expect(parameter.grad !== null, name).toBe(/lora_[AB]\.default/.test(name));
    }
  });
});

describe('disabled adapters', () => {
  it('leave the base, to the bit', async () => {
    const { lora, run } = build({ bias: 'all' });
    const before = await new TinyModel({ width: 8, bias: true }).forward(input([3, 8])).data();
    expectClose(await run(), before, EXACT);
    train(lora);
    for (const [name, parameter] of lora.adapterParameters('default')) if (name.endsWith('bias')) parameter.fill_(0.5);
    const after = await run();
    expect(after).not.toEqual(before);
    expectClose(await lora.withDisabled(() => lora.model.forward(input([3, 8]))).data(), before, EXACT);
    expectClose(await run(), after, EXACT);
    lora.disable();
    expect(lora.isEnabled).toBe(false);
    expectClose(await run(), before, EXACT);
    lora.enable();
    expectClose(await run(), after, EXACT);
  });

  it('also while merged, and once everything is unloaded', async () => {
    const { lora, model, x } = build({ bias: 'lora_only', modulesToSave: ['lm_head'] });
    const before = await lora.withDisabled(() => model.forward(x)).data();
    train(lora);
    for (const [name, parameter] of lora.adapterParameters('default')) if (name.endsWith('bias')) parameter.fill_(0.5);
    await lora.merge();
    expect(await model.forward(x).data()).not.toEqual(before);
    expectClose(await lora.withDisabled(() => model.forward(x)).data(), before, EXACT);
    expect(lora.unload()).toBe(model);
    expectClose(await model.forward(x).data(), before, EXACT);
    expect([...model.namedParameters()].map(([name]) => name)).toEqual(
      [...new TinyModel({ width: 8, bias: true }).namedParameters()].map(([name]) => name),
    );
    expect(model.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
  });
});

describe('several adapters', () => {
  it('add their parts', async () => {
    const { lora, model, x } = build({ targetModules: ['o_proj'], layersToTransform: 1 });
    const layer = 'model.layers.1.self_attn.o_proj';
    lora.addAdapter('second', { rank: 3, alpha: 6, targetModules: [layer], rng });
    train(lora, 'default', 1);
    train(lora, 'second', 2);
    const logits = async (names: string[]) => {
      lora.setActive(names);
      return model.forward(x).data();
    };
    const [none, first, second, both] = [
      await logits([]),
      await logits(['default']),
      await logits(['second']),
      await logits(['default', 'second']),
    ];
    // what follows o_proj of the last layer is linear
    expectClose(
      both,
      first.map((value, i) => value + second[i]! - none[i]!),
      SUMS,
    );
    expect(first).not.toEqual(second);
    lora.deleteAdapter('second');
    expect(lora.active).toEqual(['default']);
    expectClose(await model.forward(x).data(), first, EXACT);
  });

  it('of which one has a copy of a module', async () => {
    const model = new TinyClassifier();
    const lora = applyLora(model, { rank: 2, taskType: 'SEQ_CLS', rng });
    const x = input([2, 8]);
    const before = await model.forward(x).data();
    const copy = lora.adapterParameters('default').get('score.modules_to_save.default.weight')!;
    copy.fill_(0);
    expectClose(await model.forward(x).data(), [0, 0, 0, 0], EXACT);
    expect((model.getModule('score') as unknown as { weight: unknown }).weight).toBe(copy);
    expectClose(await lora.withDisabled(() => model.forward(x)).data(), before, EXACT);
    lora.addAdapter('second', { rank: 2, taskType: 'SEQ_CLS', rng });
    expect(() => lora.setActive(['default', 'second'])).toThrow(
      'setActive: one adapter at most may replace a module: default and second replace score',
    );
    expect(() => lora.addAdapter('third', { rank: 2, taskType: 'SEQ_CLS', rng }, { active: true })).toThrow(
      'addAdapter: one adapter at most may replace a module: default and third replace score',
    );
    expect(lora.adapters).toEqual(['default', 'second']);
    lora.setActive('second');
    expectClose(await model.forward(x).data(), before, EXACT);
  });

  it('of which none has a copy of a layer that another adapts', () => {
    const { lora } = build({ targetModules: ['q_proj'] });
    expect(() => lora.addAdapter('second', { targetModules: ['v_proj'], modulesToSave: '0.self_attn', rng })).toThrow(
      'addAdapter: modulesToSave model.layers.0.self_attn must hold no layer with an adapter; choose one or the other',
    );
  });

  it('of which one trains biases', () => {
    const { lora } = build({ bias: 'lora_only' });
    expect([...lora.adapterParameters('default').keys()].filter((name) => name.endsWith('bias'))).toEqual([
      'model.layers.0.self_attn.q_proj.base_layer.bias',
      'model.layers.0.self_attn.v_proj.base_layer.bias',
      'model.layers.1.self_attn.q_proj.base_layer.bias',
      'model.layers.1.self_attn.v_proj.base_layer.bias',
    ]);
    expect(() => lora.addAdapter('second', { bias: 'all', rng })).toThrow(
      "addAdapter: one adapter at most may train biases: 'default' does; pass bias: 'none'",
    );
    const headed = build({ bias: 'all', modulesToSave: 'lm_head' }).lora.adapterParameters('default');
    expect([...headed.keys()].filter((name) => name.startsWith('lm_head'))).toEqual([
      'lm_head.modules_to_save.default.weight',
      'lm_head.modules_to_save.default.bias',
    ]);
    expect([...build({ bias: 'all' }).lora.adapterParameters('default').keys()]).toContain(
      'model.layers.0.self_attn.k_proj.bias',
    );
  });
});

describe('messages', () => {
  it('name what is there', () => {
    const { lora } = build();
    expect(() => lora.setActive('other')).toThrow("setActive: there is no adapter 'other': there is default");
    expect(() => lora.deleteAdapter('other')).toThrow("deleteAdapter: there is no adapter 'other': there is default");
    expect(() => lora.addAdapter('default', { rng })).toThrow(
      "addAdapter: there is an adapter called 'default' already",
    );
  });

  it('say what to do first', async () => {
    const { lora } = build();
    lora.disable();
    await expect(lora.merge()).rejects.toThrow(
      'merge: adapters must be enabled, got disabled ones; call enable() first',
    );
    lora.enable();
    lora.setActive([]);
    await expect(lora.merge()).rejects.toThrow(
      'merge: an adapter must be active, and none of default is; call setActive',
    );
    lora.setActive('default');
    await lora.merge();
    await expect(lora.merge()).rejects.toThrow('merge: no adapter may be merged, and default is; call unmerge() first');
    expect(() => lora.setActive([])).toThrow(
      'setActive: no adapter may be merged, and default is; call unmerge() first',
    );
    lora.unload();
    expect(() => lora.setActive('default')).toThrow('the adapters were unloaded from this model; call applyLora again');
  });
});
