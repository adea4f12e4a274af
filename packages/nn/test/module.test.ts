import { buffer, Linear, Module, Parameter } from '@burin/nn';
import { DtypeError, Generator, ones, scope, tensor, zeros } from '@burin/tensor';
import { describe, expect, it } from 'vitest';

const rng = () => new Generator(0);

class Leaf extends Module {
  readonly weight: Parameter;

  constructor(size = 2) {
    super();
    this.weight = new Parameter(ones([size]));
  }
}

class Statistics extends Module {
  readonly runningMean = buffer(zeros([3]));
  readonly weight = new Parameter(ones([3]));
}

/** One of every kind of field. */
class Everything extends Module {
  readonly selfAttn = new Leaf();
  readonly LayerNorm = new Leaf();
  readonly ln_1 = new Leaf();
  readonly layers = [new Leaf(), [new Leaf()]];
  readonly byName = new Map([['default', new Leaf()]]);
  readonly parts = { upProj: new Leaf(), sizes: [1, 2], nothing: null };
  readonly gateBias = new Parameter(ones([1]));
  readonly runningMean = buffer(zeros([1]));
  readonly options = { text: 'no module' };
  readonly rng = rng(); // an object of another class
  readonly missing = null;
  readonly #hidden = new Leaf();

  get hidden(): Leaf {
    return this.#hidden;
  }
}

const names = (entries: Iterable<[string, unknown]>) => [...entries].map(([name]) => name);

describe('the names of a module', () => {
  it('are those of its fields in snake_case, and the keys of arrays, Maps and plain objects', () => {
    const module = new Everything();
    expect(names(module.children())).toEqual([
      ...['self_attn', 'LayerNorm', 'ln_1', 'layers.0', 'layers.1.0', 'by_name.default', 'parts.upProj'],
    ]);
    expect(names(module.namedParameters())).toEqual([
      'gate_bias',
      ...names(module.children()).map((name) => `${name}.weight`),
    ]);
    expect(names(module.namedBuffers())).toEqual(['running_mean']);
  });

  it('do not hold what is #private', () => {
    const module = new Everything();
    expect(module.parameters()).not.toContain(module.hidden.weight);
  });

  it('are dotted paths from the module that is asked', () => {
    const outer = new (class extends Module {
      readonly inner = new Everything();
    })();
    expect(names(outer.namedModules())).toContain('inner.layers.1.0');
    expect(names(outer.namedModules())[0]).toBe('');
    expect(names(outer.inner.namedModules('model'))).toContain('model.layers.1.0');
  });

  it('show a tied parameter once, or under each name where duplicates are wanted', () => {
    const shared = new Leaf();
    const tied = new (class extends Module {
      readonly embed = shared;
      readonly head = shared;
    })();
    expect(names(tied.namedParameters())).toEqual(['embed.weight']);
    expect(names(tied.namedParameters({ duplicates: true }))).toEqual(['embed.weight', 'head.weight']);
    expect(tied.parameters()).toEqual([shared.weight]);
  });

  it('show a buffer of several places once, or under each name where duplicates are wanted', () => {
    const shared = new Statistics();
    const tied = new (class extends Module {
      readonly first = shared;
      readonly second = shared;
    })();
    expect(names(tied.namedBuffers())).toEqual(['first.running_mean']);
    expect(names(tied.namedBuffers({ duplicates: true }))).toEqual(['first.running_mean', 'second.running_mean']);
  });

  it('tell parameters from buffers', () => {
    const statistics = new Statistics();
    expect(names(statistics.namedBuffers())).toEqual(['running_mean']);
    expect(names(statistics.namedParameters())).toEqual(['weight']);
  });
});

describe('getModule', () => {
  it.each(['self_attn', 'LayerNorm', 'ln_1', 'layers.0', 'layers.1.0', 'by_name.default', 'parts.upProj'])(
    'finds %s',
    (name) => {
      const outer = new (class extends Module {
        readonly inner = new Everything();
      })();
      expect(outer.getModule(`inner.${name}`)).toBe(new Map(outer.inner.children()).get(name));
    },
  );

  it('finds itself under the empty name', () => {
    const leaf = new Leaf();
    expect(leaf.getModule('')).toBe(leaf);
  });

  it('does not take a name for the beginning of a longer one', () => {
    const list = new (class extends Module {
      readonly layers = Array.from({ length: 12 }, () => new Everything());
    })();
    expect(list.getModule('layers.11.self_attn')).toBe(list.layers[11]!.selfAttn);
    expect(list.getModule('layers.1.self_attn')).toBe(list.layers[1]!.selfAttn);
  });

  it('lists what is there instead', () => {
    const pair = new (class extends Module {
      readonly body = new (class extends Module {
        readonly up = new Leaf();
        readonly down = new Leaf();
      })();
    })();
    expect(() => pair.getModule('body.gate')).toThrow(
      new RangeError("getModule: 'body.gate' must name a module: expected one of up, down in 'body', got 'gate'"),
    );
    expect(() => pair.getModule('head')).toThrow(
      "getModule: 'head' must name a module: expected one of body in the module, got 'head'",
    );
    expect(() => pair.getModule('body.up.weight')).toThrow("expected one of none in 'body.up', got 'weight'");
    expect(() => pair.replaceModule('body.gate', new Leaf())).toThrow("replaceModule: 'body.gate' must name a module");
    expect(() => pair.replaceModule('', new Leaf())).toThrow('expected one of body in the module');
  });
});

describe('replaceModule', () => {
  it.each(['self_attn', 'LayerNorm', 'ln_1', 'layers.0', 'layers.1.0', 'by_name.default', 'parts.upProj'])(
    'puts another at %s, returns what was there, and can put it back',
    (name) => {
      const outer = new (class extends Module {
        readonly inner = new Everything();
      })();
      const path = `inner.${name}`;
      const before = outer.getModule(path);
      const namesBefore = names(outer.namedModules());
      const other = new Leaf(5);
      expect(outer.replaceModule(path, other)).toBe(before);
      expect(outer.getModule(path)).toBe(other);
      expect(names(outer.namedModules())).toEqual(namesBefore);
      expect(outer.parameters()).toContain(other.weight);
      expect(outer.replaceModule(path, before)).toBe(other);
      expect(outer.getModule(path)).toBe(before);
    },
  );
});

it('replaceModule puts nothing but a module in', () => {
  const module = new Everything();
  for (const other of [undefined, Leaf, module.gateBias]) {
    expect(() => module.replaceModule('self_attn', other as never)).toThrow(
      new TypeError(`replaceModule: 'self_attn': a Module is expected, got ${typeof other}`),
    );
  }
  expect(module.selfAttn).toBeInstanceOf(Leaf);
});

describe('the switches of a module', () => {
  it('set training mode here and below', () => {
    const module = new Everything();
    expect(module.training).toBe(true);
    expect(module.eval()).toBe(module);
    expect([...module.namedModules()].map(([, { training }]) => training)).not.toContain(true);
    expect(module.train()).toBe(module);
    expect([...module.namedModules()].map(([, { training }]) => training)).not.toContain(false);
  });

  it('freeze and thaw parameters, not buffers', () => {
    const statistics = new Statistics();
    expect(statistics.requiresGrad_(false)).toBe(statistics);
    expect(statistics.weight.requiresGrad).toBe(false);
    statistics.requiresGrad_();
    expect(statistics.weight.requiresGrad).toBe(true);
    expect(statistics.runningMean.requiresGrad).toBe(false);
  });

  it('free gradients, and with dispose everything', () => {
    const { memory } = ones([1]).device;
    const before = memory.liveBuffers;
    const layer = new Linear(3, 2, { rng: rng() });
    scope(() =>
      layer
        .forward(ones([1, 3]))
        .sum()
        .backward(),
    );
    expect(memory.liveBuffers).toBe(before + 4);
    layer.zeroGrad();
    expect(layer.weight.grad).toBeNull();
    expect(memory.liveBuffers).toBe(before + 2);
    layer.dispose();
    layer.dispose();
    expect(memory.liveBuffers).toBe(before);
    expect(() => layer.forward(ones([1, 3]))).toThrow('used after it was freed');
  });

  it('frees what a part holds in private, where the whole is disposed of', () => {
    class Part extends Module {
      readonly #table = ones([4]);
      override dispose(): void {
        this.#table.dispose();
        super.dispose();
      }
    }
    class Whole extends Module {
      readonly parts = [new Part(), new Part()];
    }
    const { memory } = ones([1]).device;
    const before = memory.liveBuffers;
    const whole = new Whole();
    expect(memory.liveBuffers).toBe(before + 2);
    whole.dispose();
    whole.dispose();
    expect(memory.liveBuffers).toBe(before);
  });
});

describe('Parameter', () => {
  it('takes over the memory of a tensor and belongs to no scope', async () => {
    const source = tensor([1, 2, 3]);
    const { memory } = source.device;
    const before = memory.liveBuffers;
    const parameter = scope(() => {
      const made = new Parameter(source);
      return { made }.made;
    });
    const inside = scope(() => {
      const held = new Leaf(3);
      return held; // a module, whose tensors a scope does not look for
    });
    expect(memory.liveBuffers).toBe(before + 1);
    expect(source.isDisposed).toBe(true);
    expect(Array.from(await parameter.data())).toEqual([1, 2, 3]);
    expect(Array.from(await inside.weight.data())).toEqual([1, 1, 1]);
  });

  it('needs a gradient unless it is frozen', () => {
    expect(new Parameter(ones([1])).requiresGrad).toBe(true);
    expect(new Parameter(ones([1]), { requiresGrad: false }).requiresGrad).toBe(false);
  });

  it('is of a floating tensor that is there, or frozen', () => {
    const integers = () => tensor(Int32Array.of(1));
    expect(() => new Parameter(integers())).toThrow(
      new DtypeError('Parameter: only floating-point tensors are learned, got int32'),
    );
    expect(new Parameter(integers(), { requiresGrad: false }).dtype).toBe('int32');
    const freed = ones([1]);
    freed.dispose();
    expect(() => new Parameter(freed)).toThrow('Parameter: a tensor of shape [1] is used after it was freed');
    expect(() => new Parameter([1] as never)).toThrow('Parameter: a tensor is expected, got an array');
  });

  it('is a leaf, also of a tensor that was computed', () => {
    const computed = tensor([2], [1], { requiresGrad: true }).mul(3);
    const parameter = new Parameter(computed);
    parameter.mul(2).sum().backward();
    expect(parameter.grad).not.toBeNull();
  });
});
