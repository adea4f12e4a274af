import { Embedding, Linear, Module, type Parameter } from '@burin/nn';
import { Generator, type Tensor, tensor } from '@burin/tensor';
import { EXACT, expectClose, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { dequantizeModel, Linear4bit, quantizeModel, to4bit } from '../src/index.js';

const rng = new Generator(4);

class Attention extends Module {
  qProj = new Linear(96, 96, { rng });
  oProj = new Linear(96, 96, { bias: false, rng });
}

class Model extends Module {
  embedTokens = new Embedding(11, 96, { rng });
  layers = [new Attention(), new Attention()];
  lmHead = new Linear(96, 11, { bias: false, rng });

  forward(x: Tensor): Tensor {
    for (const { qProj, oProj } of this.layers) x = oProj.forward(qProj.forward(x).tanh());
    return this.lmHead.forward(x);
  }
}

const kinds = (model: Module) =>
  [...model.namedModules()].filter(([, module]) => module instanceof Linear4bit).map(([name]) => name);

describe('quantizeModel', () => {
  it('replaces every Linear but the head, and says what that saves', async () => {
    const report = await quantizeModel(new Model(), { doubleQuant: true });
    expect(report.layers.map(({ name }) => name)).toEqual([
      'layers.0.q_proj',
      'layers.0.o_proj',
      'layers.1.q_proj',
      'layers.1.o_proj',
    ]);
    const after = 4 * (4608 + 144 + 4 + 1024); // codes, 144 scales, one nested scale, the map
    expect(report).toMatchObject({ count: 4, skipped: ['lm_head'], bytesBefore: 4 * 4 * 96 * 96, bytesAfter: after });
    expect(report.layers[0]).toEqual({
      name: 'layers.0.q_proj',
      shape: [96, 96],
      bytesBefore: 36864,
      bytesAfter: after / 4,
    });
    expect(report.text).toBe('4 layers: 0.1 MB -> 23120 bytes');
  });

  it('holds one float weight less after each layer', async () => {
    const model = new Model();
    const { memory } = model.lmHead.weight.device;
    const before = memory.liveBytes;
    memory.resetPeak();
    const { bytesBefore, bytesAfter } = await quantizeModel(model);
    expect(memory.liveBytes).toBe(before - bytesBefore + bytesAfter);
    expect(memory.peakBytes).toBeLessThan(before + 8192); // one layer's codes and scales; no second float weight
  });

  it('gives what the dequantized model gives', async () => {
    const model = new Model();
    const x = tensor(seededRandom(1).normal(3 * 96), [3, 96]);
    await quantizeModel(model, { type: 'fp4' });
    const quantized = await model.forward(x).data();
    const { memory } = x.device;
    const report = await dequantizeModel(model);
    expect(report.count).toBe(4);
    expect(kinds(model)).toEqual([]);
    expect((model.getModule('layers.0.q_proj') as Linear).weight.requiresGrad).toBe(false); // as it was
    expectClose(await model.forward(x).data(), quantized, { rtol: 1e-5, atol: 1e-5 }); // sums in another order
    expect(report.bytesAfter).toBe(4 * 4 * 96 * 96);
    expect(memory.liveBytes).toBeGreaterThan(report.bytesAfter);
  });

  it('keeps names, biases and modes', async () => {
    const model = new Model().eval();
    const { bias } = model.layers[0]!.qProj;
    await quantizeModel(model);
    const layer = model.getModule('layers.0.q_proj') as Linear4bit;
    expect(layer.bias).toBe(bias);
    expect(layer.training).toBe(false);
    expect([...model.namedParameters()].map(([name]) => name)).toEqual([
      'embed_tokens.weight',
      'layers.0.q_proj.bias',
      'layers.1.q_proj.bias',
      'lm_head.weight',
    ]);
  });

  it('takes names and patterns', async () => {
    const chosen = async (options: object) => {
      const model = new Model();
      await quantizeModel(model, options);
      return kinds(model);
    };
    expect(await chosen({ targetModules: 'q_proj' })).toEqual(['layers.0.q_proj', 'layers.1.q_proj']);
    expect(await chosen({ targetModules: [/0/, 'lm_head'] })).toEqual([
      'layers.0.q_proj',
      'layers.0.o_proj',
      'lm_head',
    ]);
    expect(await chosen({ skipModules: ['layers.1', 'lm_head'] })).toEqual(['layers.0.q_proj', 'layers.0.o_proj']);
    expect(await chosen({ targetModules: 'q_proj', skipModules: /1/ })).toEqual(['layers.0.q_proj']);
  });

  it.each(['qa_outputs', 'classification_head'])('leaves the head %s alone', async (head) => {
    const model = Object.assign(new Model(), { [head]: new Linear(96, 2, { rng }) });
    expect((await quantizeModel(model)).skipped).toEqual(['lm_head', head]);
  });

  it('leaves a weight that is shared alone, unless it is named; then it does not free it', async () => {
    const model = new Model();
    model.layers[1]!.oProj = Linear.from(model.layers[0]!.oProj.weight);
    expect((await quantizeModel(model)).skipped).toEqual(['layers.0.o_proj', 'layers.1.o_proj', 'lm_head']);
    const before = await model.layers[1]!.oProj.weight.data();
    await quantizeModel(model, { targetModules: '0.o_proj' });
    expectClose(await model.layers[1]!.oProj.weight.data(), before, EXACT);
  });

  it.each([
    ['a parameter of its own', (table: Parameter) => ({ table })],
    ['a field of another name', (table: Parameter) => ({ inner: Object.assign(new Attention(), { keys: table }) })],
  ])('leaves a weight alone that is also %s', async (_name, extra) => {
    const model = new Model();
    Object.assign(model, extra(model.layers[0]!.qProj.weight));
    expect((await quantizeModel(model)).skipped).toContain('layers.0.q_proj');
  });

  describe('of a model whose layers stand in several places', () => {
    class Shared extends Module {
      readonly layers: Attention[];
      readonly again: Linear;

      constructor() {
        super();
        const layer = new Attention();
        this.layers = [layer, layer, layer];
        this.again = layer.oProj;
      }
    }

    it.each([{}, { targetModules: ['q_proj', 'again'] }])('keeps one layer of each, with %j', async (options) => {
      const model = new Shared();
      const { memory } = model.again.weight.device;
      const floats = memory.liveBuffers;
      const { layers, skipped, text } = await quantizeModel(model, options);
      expect(layers.map(({ name }) => name)).toEqual(['layers.0.q_proj', 'layers.0.o_proj']);
      expect(skipped).toEqual([]);
      expect(text).toBe('2 layers: 73728 bytes -> 10368 bytes');
      expect(model.again).toBeInstanceOf(Linear4bit);
      expect(model.again).toBe(model.layers[2]!.oProj);
      expect(memory.liveBuffers).toBe(floats + 2); // codes and scales for each of two weights
      expect((await dequantizeModel(model)).count).toBe(2);
      expect(model.again).toBeInstanceOf(Linear);
      expect(model.again).toBe(model.layers[2]!.oProj);
      expect(memory.liveBuffers).toBe(floats);
    });

    it('leaves one alone that is skipped in one place', async () => {
      const { layers, skipped } = await quantizeModel(new Shared(), { skipModules: 'again' });
      expect(layers.map(({ name }) => name)).toEqual(['layers.0.q_proj']);
      expect(skipped).toEqual(['layers.0.o_proj', 'layers.1.o_proj', 'layers.2.o_proj', 'again']);
    });
  });

  it('refuses names that match nothing, before it changes anything', async () => {
    const model = new Model();
    await expect(quantizeModel(model, { targetModules: ['q_proj', 'query'] })).rejects.toThrow(
      "quantizeModel: targetModules 'query' matches nothing of this model: there is q_proj, o_proj, lm_head",
    );
    await expect(quantizeModel(model, { skipModules: /nothing/ })).rejects.toThrow(
      'skipModules /nothing/ matches nothing',
    );
    await expect(quantizeModel(model, { skipModules: ['layers', 'lm_head'] })).rejects.toThrow(
      'no Linear is left to quantize',
    );
    await expect(quantizeModel(model, { blockSize: 7 })).rejects.toThrow(
      'layers.0.q_proj.weight: quantize4bit: blockSize must be',
    );
    const options = { quantType: 'fp4' } as object;
    const unknown = 'there is no option quantType; expected type, blockSize, doubleQuant, targetModules, skipModules';
    await expect(quantizeModel(model, options)).rejects.toThrow(`quantizeModel: ${unknown}`);
    expect(() => to4bit(options)).toThrow(`to4bit: ${unknown}`);
    expect(kinds(model)).toEqual([]);
  });

  it('names the weight that is not finite', async () => {
    const model = new Model();
    model.layers[1]!.qProj.weight.fill_(Number.NaN);
    await expect(quantizeModel(model)).rejects.toThrow(
      'quantizeModel: layers.1.q_proj.weight: quantize4bit: every value must be finite',
    );
  });
});
