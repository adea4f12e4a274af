import { Dropout, Embedding, Linear, Module } from '@burin/nn';
import { cpu, Generator, ones, type Tensor } from '@burin/tensor';
import { describe, expect, it } from 'vitest';
import { applyLora, LoraLinear, type LoraOptions, trainableParameters } from '../src/index.js';
import { OneLinear } from './layers.js';
import { TinyClassifier, TinyModel } from './tiny-model.js';

const rng = () => new Generator(0);

/** Dotted names of the layers that got an adapter. */
function matched(options: Partial<LoraOptions>, model = new TinyModel({ width: 4 })): string[] {
  return [...applyLora(model, { rank: 2, rng: rng(), ...options }).layers()].map(([name]) => name);
}

const layer = (i: number, ...names: string[]) => names.map((name) => `model.layers.${i}.self_attn.${name}`);

describe('targetModules', () => {
  it('takes the end of dotted names, and whole parts of them only', () => {
    expect(matched({ targetModules: 'q_proj' })).toEqual([...layer(0, 'q_proj'), ...layer(1, 'q_proj')]);
    expect(matched({ targetModules: ['1.self_attn.v_proj', 'lm_head'] })).toEqual([...layer(1, 'v_proj'), 'lm_head']);
    expect(() => matched({ targetModules: 'proj' })).toThrow(`targetModules 'proj' matches no Linear`);
  });

  it('takes regular expressions: a string for the whole name, a RegExp for any part', () => {
    expect(matched({ targetModules: '.*\\.0\\..*(q|v)_proj' })).toEqual(layer(0, 'q_proj', 'v_proj'));
    expect(matched({ targetModules: /0.*[qv]_proj/g })).toEqual(layer(0, 'q_proj', 'v_proj'));
    expect(() => matched({ targetModules: '(q|v)_proj' })).toThrow('matches no Linear');
  });

  it("takes every Linear but the output head for 'all-linear'", () => {
    const all = [
      ...layer(0, 'q_proj', 'k_proj', 'v_proj', 'o_proj'),
      ...layer(1, 'q_proj', 'k_proj', 'v_proj', 'o_proj'),
    ];
    expect(matched({})).toEqual(all);
    expect(matched({ excludeModules: ['k_proj', /0.*o_proj/], layersToTransform: [0] })).toEqual(
      layer(0, 'q_proj', 'v_proj'),
    );
  });

  it("leaves a head that shares an embedding's weight out of 'all-linear'", () => {
    const model = new TinyModel({ width: 4, layers: 1 });
    model.model.layers[0]!.selfAttn.qProj = Linear.from(model.model.layers[0]!.selfAttn.oProj.weight);
    expect(matched({}, model)).toEqual(layer(0, 'k_proj', 'v_proj'));
  });

  it('takes some layers by number', () => {
    expect(matched({ targetModules: ['q_proj'], layersToTransform: 1 })).toEqual(layer(1, 'q_proj'));
    expect(matched({ targetModules: ['q_proj'], layersToTransform: [0], layersPattern: 'layers' })).toEqual(
      layer(0, 'q_proj'),
    );
    expect(matched({ targetModules: ['q_proj', 'lm_head', ...layer(0, 'v_proj')], layersToTransform: 1 })).toEqual([
      ...[...layer(0, 'v_proj'), ...layer(1, 'q_proj')], // a name in full means its module in any case
      'lm_head',
    ]);
    expect(() => matched({ targetModules: ['q_proj'], layersToTransform: 7 })).toThrow('layersToTransform [7]');
  });

  it('ranks and scales some layers apart', () => {
    const lora = applyLora(new TinyModel({ width: 4 }), {
      ...{ rank: 2, alpha: 4, targetModules: ['q_proj', 'v_proj'], rng: rng() },
      rankPattern: { v_proj: 1, 'layers.0.self_attn.q_proj': 3 },
      alphaPattern: { '.*1.*q_proj': 8 },
    });
    const shapes = [...lora.layers()].map(([, { lora_A, scaling }]) => [
      lora_A.get('default')!.weight.shape[0],
      scaling.get('default'),
    ]);
    expect(shapes).toEqual([
      [3, 4 / 3],
      [1, 4],
      [2, 4],
      [1, 4],
    ]); // q and v of layer 0, q and v of layer 1
  });
});

describe('promise 1: no silent no-op', () => {
  it('lists near names where a name matches nothing, also one of several', () => {
    expect(() => matched({ targetModules: ['q_proj', 'v_porj'] })).toThrow(
      new RangeError(
        "applyLora: targetModules 'v_porj' matches no Linear of this model: " +
          'near names are v_proj, q_proj, k_proj, o_proj, lm_head (9 in all)',
      ),
    );
  });

  it('compares as many parts as the name has', () => {
    expect(() => matched({ targetModules: 'attn.q_proj' })).toThrow('near names are self_attn.q_proj,');
  });

  it('does so for patterns, for excludeModules and for modulesToSave', () => {
    expect(() => matched({ targetModules: /query/ })).toThrow(
      'targetModules /query/ matches no Linear of this model: near names',
    );
    expect(() => matched({ excludeModules: 'v_porj' })).toThrow(
      "excludeModules 'v_porj' matches no module of this model: near",
    );
    expect(() => matched({ modulesToSave: 'lm_heed' })).toThrow(
      "modulesToSave 'lm_heed' matches no module of this model: near names are lm_head",
    );
  });

  it('says what a name matches that is no Linear', () => {
    expect(() => matched({ targetModules: 'self_attn' })).toThrow(
      "applyLora: targetModules 'self_attn' must match Linear layers, got model.layers.0.self_attn (Attention); " +
        'a trainable copy of any module is made by modulesToSave',
    );
  });

  it('says so where everything is excluded', () => {
    expect(() => matched({ targetModules: 'q_proj', excludeModules: /q_proj/ })).toThrow(
      "applyLora: excludeModules must leave a Linear for the adapter, and none is left: this model's are model.layers.0",
    );
  });

  it('says so where there is no Linear to wrap', () => {
    const layer = new Linear(4, 4, { rng: rng() });
    expect(() => applyLora(layer, { rng: rng() })).toThrow(
      'applyLora: the model must hold a Linear for the adapter: expected one among its parts, ' +
        'got a Linear itself; make it a field of a module',
    );
    expect(() => applyLora(new Dropout(0.1, rng()), { rng: rng() })).toThrow('among its parts, got none');
  });

  it('says so where every Linear is an output head', () => {
    class Tied extends Module {
      readonly embed = new Embedding(5, 4, { rng: rng() });
      readonly out = Linear.from(this.embed.weight);
    }
    expect(() => applyLora(new Tied(), { rng: rng() })).toThrow(
      "applyLora: targetModules 'all-linear' leaves output heads out, and this model has no other Linear: " +
        'got out; name it in targetModules',
    );
  });

  it('reports what matched, with shapes', () => {
    const lora = applyLora(new TinyModel({ width: 4 }), {
      rank: 2,
      targetModules: ['v_proj'],
      modulesToSave: 'lm_head',
      rng: rng(),
    });
    expect(lora.reports.get('default')!.text.split('\n')).toEqual([
      'model.layers.0.self_attn.v_proj: A [2, 4], B [2, 2]',
      'model.layers.1.self_attn.v_proj: A [2, 4], B [2, 2]',
      'lm_head: a trainable copy',
    ]);
  });

  it('leaves the model alone when it throws', () => {
    const model = new TinyModel({ width: 4 });
    expect(() => applyLora(model, { targetModules: ['q_proj', 'nothing'], rng: rng() })).toThrow();
    expect(model.parameters().every(({ requiresGrad }) => requiresGrad)).toBe(true);
    expect([...model.namedModules()].some(([, module]) => module instanceof LoraLinear)).toBe(false);
  });

  it('so too where a module that it would copy has nothing to train', () => {
    const model = new TinyModel({ width: 4 });
    const drop = Object.assign(model, { drop: new Dropout(0.5, rng()) });
    expect(() => applyLora(drop, { modulesToSave: 'drop', rng: rng() })).toThrow(
      'applyLora: modulesToSave drop (Dropout) must have parameters to train, got none',
    );
    expect([...model.namedModules()].some(([, module]) => module instanceof LoraLinear)).toBe(false);
  });
});

describe('applyLora', () => {
  it("gives the parameters PEFT's names, and freezes all others", () => {
    const lora = applyLora(new TinyModel({ width: 4, layers: 1 }), { rank: 2, targetModules: ['q_proj'], rng: rng() });
    const trainable = [...lora.model.namedParameters()].filter(([, { requiresGrad }]) => requiresGrad);
    expect(trainable.map(([name]) => name)).toEqual([
      'model.layers.0.self_attn.q_proj.lora_A.default.weight',
      'model.layers.0.self_attn.q_proj.lora_B.default.weight',
    ]);
    expect([...lora.model.namedParameters()].map(([name]) => name)).toContain(
      'model.layers.0.self_attn.q_proj.base_layer.weight',
    );
    expect([...lora.adapterParameters('default')]).toEqual(trainable);
  });

  it('counts what is trained as PEFT prints it', () => {
    const model = new TinyModel({ width: 48, layers: 2 });
    expect(trainableParameters(model).share).toBe(1);
    applyLora(model, { rank: 4, targetModules: ['q_proj', 'v_proj'], rng: rng() });
    // q: 4 · (48 + 48), v: 4 · (48 + 24); base: 2 · (2 · 48² + 2 · 24 · 48) + 7 · 48
    const [trainable, total] = [2 * 4 * (96 + 72), 2 * 4 * (96 + 72) + 2 * 3 * 48 * 48 + 7 * 48];
    expect(trainableParameters(model)).toEqual({
      ...{ trainable, total, share: trainable / total },
      text: 'trainable params: 1,344 || all params: 15,504 || trainable%: 8.6687',
    });
  });

  it('copies a module whole: not one with private fields, nor one that only holds others', () => {
    class Sealed extends TinyModel {
      readonly #factor = 2;
      override forward(x: Tensor): Tensor {
        return super.forward(x).mul(this.#factor);
      }
    }
    const model = new OneLinear(new Sealed({ width: 4 }) as unknown as Linear);
    const layers = Object.assign(model, { first: new Linear(4, 4, { rng: rng() }) });
    const options = { rank: 2, targetModules: 'first', rng: rng() };
    expect(() => applyLora(layers, { ...options, modulesToSave: 'layer.model' })).toThrow(
      'applyLora: modulesToSave layer.model must be a module with a forward pass, got Body; name its parts instead',
    );
    const lora = applyLora(layers, { ...options, modulesToSave: 'layer' });
    expect(() => model.forward(ones([2, 4]))).toThrow(
      'modulesToSave: a module must have no #private fields, which a copy cannot have: got Sealed; name parts of it instead',
    );
    expect(lora.withDisabled(() => model.forward(ones([2, 4]))).shape).toEqual([2, 7]);
  });

  it('gives a layer that stands in several places one adapter, and frees it whole', () => {
    const { memory } = cpu();
    const model = new TinyModel({ width: 4 });
    const { layers } = model.model;
    layers.push(layers[0]!);
    layers[1]!.selfAttn.oProj = layers[0]!.selfAttn.oProj;
    const live = memory.liveBytes;
    const lora = applyLora(model, { rank: 2, targetModules: ['q_proj', 'o_proj'], rng: rng() });
    expect(new Set(layers.map(({ selfAttn }) => selfAttn.oProj)).size).toBe(1);
    expect(new Set(layers.map(({ selfAttn }) => selfAttn.qProj)).size).toBe(2);
    lora.unload();
    expect(memory.liveBytes).toBe(live);
  });

  it('trains a new head for SEQ_CLS', () => {
    const lora = applyLora(new TinyClassifier(), { rank: 2, taskType: 'SEQ_CLS', rng: rng() });
    expect(lora.reports.get('default')!.modulesToSave).toEqual(['score']);
    const names = [...lora.model.namedParameters()]
      .filter(([, { requiresGrad }]) => requiresGrad)
      .map(([name]) => name);
    expect(names).toContain('score.modules_to_save.default.weight');
    expect(names).not.toContain('score.original_module.weight');
    expect(() => matched({ taskType: 'SEQ_CLS' })).toThrow(
      'applyLora: taskType SEQ_CLS trains a head, and none is called classifier or score; name it in modulesToSave',
    );
  });

  it.each([
    [{ rank: 0 }, 'rank must be a whole number of 1 or more, got 0'],
    [{ rank: 1.5 }, 'rank must be a whole number of 1 or more, got 1.5'],
    [{ rankPattern: { q_proj: -1 } }, 'q_proj must be a whole number of 1 or more, got -1'],
    [{ alpha: Number.NaN }, 'alpha must be a finite number, got NaN'],
    [{ dropout: 1 }, 'dropout must be in [0, 1), got 1'],
    [{ bias: 'some' as 'all' }, 'bias must be one of none, all, lora_only, got some'],
    [{ taskType: 'CHAT' as 'SEQ_CLS' }, 'taskType must be one of CAUSAL_LM,'],
    [{ targetModules: [] }, 'targetModules must name a module at least, got an empty list'],
    [{ targetModules: '(q_proj' }, "applyLora: '(q_proj' must be a name or a regular expression"],
    [{ rankPattern: { '[': 1 } }, "applyLora: '[' must be a name or a regular expression"],
    [
      { lora_alpha: 16 },
      'applyLora: there is no option lora_alpha; expected rank, alpha, dropout, bias, targetModules',
    ],
    [{ rng: undefined }, 'applyLora: A starts at random: expected rng: new Generator(42), got undefined'],
    [{ adapterName: 'a.b' }, "a name must be of letters, digits, _ and -, got 'a.b'"],
  ])('refuses %j', (options, message) => {
    const given = { rng: rng(), ...options } as LoraOptions;
    expect(() => applyLora(new TinyModel({ width: 4 }), given)).toThrow(message);
  });

  it('refuses a model that has adapters', () => {
    const model = new TinyModel({ width: 4 });
    applyLora(model, { rng: rng() });
    expect(() => applyLora(model, { rng: rng() })).toThrow(
      'the model has adapters already, at model.layers.0.self_attn.q_proj',
    );
  });

  it('draws the same A for the same seed', async () => {
    const first = async () => {
      const model = new OneLinear(new Linear(3, 3, { rng: new Generator(9) }));
      const lora = applyLora(model, { rank: 2, rng: new Generator(3) });
      return [...lora.adapterParameters('default').values()][0]!.data();
    };
    expect(await first()).toEqual(await first());
  });
});
