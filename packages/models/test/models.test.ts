import { BertForMaskedLM, LlamaForSequenceClassification, labelTensor, tokenBatch } from '@burin/models';
import type { Module } from '@burin/nn';
import { cpu, noGrad, ShapeError, scope, type Tensor, tensor } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { ids, rng, TINY, tinyBert, tinyLlama } from './support.js';

const ROWS = [
  [1, 5, 9, 2, 30],
  [4, 8, 3],
];

/** The same sums, taken in another order. */
const REORDERED = { rtol: 1e-4, atol: 1e-5 };

async function gradientsOf(module: Module): Promise<Map<string, ArrayLike<number>>> {
  const gradients = new Map<string, ArrayLike<number>>();
  for (const [name, parameter] of module.namedParameters()) gradients.set(name, await parameter.grad!.data());
  module.zeroGrad();
  return gradients;
}

async function expectGradients(actual: Map<string, ArrayLike<number>>, expected: typeof actual, tolerance = EXACT) {
  expect([...actual.keys()]).toEqual([...expected.keys()]);
  for (const [name, values] of actual) expectClose(values, expected.get(name)!, tolerance, name);
}

describe('a language model', () => {
  it('moves the labels by one, and leaves padding out', async () => {
    const model = tinyLlama();
    const batch = tokenBatch(ROWS, { vocabSize: TINY.vocabSize, labels: true });
    const { logits, loss } = model.forward(batch);
    const values = await logits.data();
    let [sum, count] = [0, 0];
    for (const [r, row] of ROWS.entries()) {
      for (let t = 0; t + 1 < row.length; t++) {
        const at = Array.from(values.slice((r * 5 + t) * TINY.vocabSize, (r * 5 + t + 1) * TINY.vocabSize));
        sum += Math.log(at.reduce((total, value) => total + Math.exp(value), 0)) - at[row[t + 1]!]!;
        count++;
      }
    }
    expectClose([await loss!.item()], [sum / count], { rtol: 1e-5, atol: 0 });
    const { loss: shared } = model.forward({ ...batch, numItemsInBatch: 10 });
    expectClose([await shared!.item()], [sum / 10], { rtol: 1e-5, atol: 0 });
  });

  it('has the same loss with padding on the left, which predicts nothing', async () => {
    const model = tinyLlama();
    const lossWith = (paddingSide: 'left' | 'right') =>
      model.forward(tokenBatch(ROWS, { vocabSize: TINY.vocabSize, labels: true, paddingSide })).loss!.item();
    expectClose([await lossWith('left')], [await lossWith('right')], { rtol: 1e-5, atol: 0 });
  });

  it('has no label for the only token of a text', async () => {
    const { loss } = tinyLlama().forward(tokenBatch([[3]], { vocabSize: TINY.vocabSize, labels: true }));
    expect(await loss!.item()).toBeNaN(); // the mean of nothing, as in PyTorch
  });

  it('gives logits of the last tokens alone where they are asked for', async () => {
    const model = tinyLlama();
    const all = await model.forward({ inputIds: ids(ROWS[0]!) }).logits.data();
    const { logits } = model.forward({ inputIds: ids(ROWS[0]!), logitsToKeep: 2 });
    expect(logits.shape).toEqual([1, 2, TINY.vocabSize]);
    expectClose(await logits.data(), all.slice(-2 * TINY.vocabSize), REORDERED);
    expect(model.forward({ inputIds: ids(ROWS[0]!), logitsToKeep: 99 }).logits.shape[1]).toBe(5);
  });

  it.each([{}, { attentionDropout: 0.3 }])('has the same gradients when layers are recomputed %o', async (options) => {
    const run = (recompute: boolean) => {
      const model = tinyLlama(options).train();
      model.model.gradientCheckpointing = recompute;
      scope(() => model.forward(tokenBatch(ROWS, { vocabSize: TINY.vocabSize, labels: true })).loss!.backward());
      return gradientsOf(model);
    };
    await expectGradients(await run(true), await run(false));
  });

  it('keeps less between forward and backward when layers are recomputed', () => {
    const held = (recompute: boolean) => {
      const model = tinyLlama({ numHiddenLayers: 4 }).train();
      model.model.gradientCheckpointing = recompute;
      const before = cpu().memory.liveBytes;
      const { logits } = model.forward({ inputIds: ids(Array.from({ length: 32 }, (_, i) => i)) });
      const kept = cpu().memory.liveBytes - before;
      logits.dispose();
      return kept;
    };
    expect(held(true)).toBeLessThan(held(false) / 2);
  });

  it('sees packed texts as it sees them alone', async () => {
    const model = tinyLlama();
    const packed = ROWS.flat();
    const numItemsInBatch = ROWS[0]!.length + ROWS[1]!.length - 2; // the first token of a text is nobody's label
    const labels = packed.map((id, t) => (t === ROWS[0]!.length ? -100 : id));
    const { logits, loss } = model.forward({
      inputIds: ids(packed),
      positions: { ids: ids(ROWS.flatMap((row) => row.map((_, t) => t))), max: 4 },
      segments: ids(ROWS.flatMap((row, r) => row.map(() => r))),
      labels: ids(labels),
      numItemsInBatch,
    });
    loss!.backward();
    const gradients = await gradientsOf(model);
    const values = await logits.data();
    let [start, total] = [0, 0];
    for (const row of ROWS) {
      const alone = model.forward({ inputIds: ids(row), labels: ids(row), numItemsInBatch });
      alone.loss!.backward(); // adds up over the texts
      total += await alone.loss!.item();
      const end = start + row.length * TINY.vocabSize;
      expectClose(values.slice(start, end), await alone.logits.data(), REORDERED);
      start = end;
    }
    expectClose([await loss!.item()], [total], { rtol: 1e-5, atol: 0 });
    await expectGradients(gradients, await gradientsOf(model), REORDERED);
  });

  it('does not see what comes later', async () => {
    const model = tinyLlama();
    const first = await model.forward({ inputIds: ids([1, 2, 3, 4]) }).logits.data();
    const other = await model.forward({ inputIds: ids([1, 2, 3, 30]) }).logits.data();
    expectClose(other.slice(0, 3 * TINY.vocabSize), first.slice(0, 3 * TINY.vocabSize), EXACT);
  });

  it('gives its padding vector no gradient', async () => {
    const model = tinyLlama({ padTokenId: 5 });
    model.forward({ inputIds: ids(ROWS[0]!), labels: ids(ROWS[0]!) }).loss!.backward();
    const gradient = await model.model.embedTokens.weight.grad!.data();
    expectClose(gradient.slice(5 * 24, 6 * 24), new Float32Array(24), EXACT);
  });

  it.each(['llama', 'mistral', 'qwen2'] as const)('of type %s has the biases that the type has', (modelType) => {
    const names = (attentionBias: boolean) =>
      [...tinyLlama({ modelType, attentionBias }).namedParameters()]
        .map(([name]) => name)
        .filter((name) => name.startsWith('model.layers.0.self_attn') && name.endsWith('bias'))
        .map((name) => name.split('.').at(-2));
    const qkv = ['q_proj', 'k_proj', 'v_proj'];
    expect(names(false)).toEqual(modelType === 'qwen2' ? qkv : []);
    expect(names(true)).toEqual({ llama: [...qkv, 'o_proj'], mistral: [], qwen2: qkv }[modelType]);
  });

  it('holds as much after fifty training steps as after two', () => {
    const model = tinyLlama().train();
    const live: number[] = [];
    for (let step = 0; step < 50; step++) {
      scope(() => model.forward(tokenBatch(ROWS, { vocabSize: TINY.vocabSize, labels: true })).loss!.backward());
      for (const parameter of model.parameters()) parameter.add_(parameter.grad as Tensor, -0.01);
      model.zeroGrad();
      live.push(cpu().memory.liveBytes);
    }
    expect(live.at(-1)).toBe(live[1]);
  });

  it('frees everything with dispose', () => {
    const before = cpu().memory.liveBuffers;
    const model = tinyLlama({ tieWordEmbeddings: true });
    scope(() => model.forward(tokenBatch(ROWS, { vocabSize: TINY.vocabSize, labels: true })).loss!.backward());
    model.dispose();
    expect(cpu().memory.liveBuffers).toBe(before);
  });

  it('names an input that does not fit', () => {
    const model = tinyLlama();
    const inputIds = ids([1, 2, 3]);
    const bad = (input: object) => () => model.forward({ inputIds, ...input });
    expect(bad({ inputIds: tensor([[1, 2]]) })).toThrow(
      'LlamaModel: inputIds must be int32, got float32; tokenBatch(rows, { vocabSize }) makes them of ids',
    );
    expect(bad({ inputIds: [[1, 2]] as never })).toThrow('LlamaModel: inputIds must be int32, got object; tokenBatch');
    expect(bad({ inputIds: tensor(Int32Array.of(1)) })).toThrow('LlamaModel: inputIds must be [B, T], got [1]');
    expect(bad({ attentionMask: tensor(new Uint8Array(3), [3, 1]) })).toThrow(
      'LlamaModel: attentionMask must be [B, S] with B = 1, got [3,1]',
    );
    expect(bad({ attentionMask: ids([1, 1, 1]) })).toThrow(
      "LlamaModel: attentionMask must be uint8, got int32; convert it with .to('uint8')",
    );
    expect(bad({ segments: ids([1, 1]) })).toThrow('LlamaModel: segments must be [B, T]: expected [1,3], got [1,2]');
    expect(bad({ positions: { ids: ids([1, 1]), max: 1 } })).toThrow(
      'LlamaModel: positions.ids must be [B, T]: expected [1,3], got [1,2]',
    );
  });
});

describe('a classifier', () => {
  const classifier = () => LlamaForSequenceClassification.create({ ...TINY, numLabels: 3 }, { rng: rng(1) });

  it('reads the last real token, on whichever side the padding is, also if its id is the padding’s', async () => {
    const model = classifier();
    const rows = [ROWS[0]!, [4, 8, 0]]; // 0 is the padding id too
    for (const paddingSide of ['left', 'right'] as const) {
      const batch = tokenBatch(rows, { vocabSize: TINY.vocabSize, paddingSide });
      const together = await model.forward(batch).logits.data();
      const alone = [];
      for (const row of rows) alone.push(...(await model.forward({ inputIds: ids(row) }).logits.data()));
      expectClose(together, alone, REORDERED);
    }
  });

  it('takes over the decoder of a language model, with a new head', async () => {
    const causal = tinyLlama();
    const model = LlamaForSequenceClassification.fromCausal(causal, { numLabels: 5, rng: rng(3) });
    expect(model.model).toBe(causal.model);
    expect(model.score.weight.shape).toEqual([5, TINY.hiddenSize]);
    expect(model.config.numLabels).toBe(5);
    expect(model.rawConfig.id2label).toEqual({ 0: 'LABEL_0', 1: 'LABEL_1', 2: 'LABEL_2', 3: 'LABEL_3', 4: 'LABEL_4' });
    const { logits, loss } = model.forward({ inputIds: ids([1, 2], [3, 4]), labels: labelTensor([0, 4], 5) });
    expect(logits.shape).toEqual([2, 5]);
    loss!.backward();
    expect(model.score.weight.grad).not.toBeNull();
    expect([...model.namedParameters()].map(([name]) => name)).not.toContain('lm_head.weight');
    expect(() => LlamaForSequenceClassification.fromCausal(causal, { numLabels: 0, rng: rng() })).toThrow(
      new RangeError('LlamaForSequenceClassification.fromCausal: numLabels must be a whole number of 1 or more, got 0'),
    );
  });

  it('of another member of the family is called so', () => {
    const mistral = LlamaForSequenceClassification.fromCausal(tinyLlama({ modelType: 'mistral' }), {
      ...{ numLabels: 2, rng: rng() },
    });
    expect(mistral.architecture).toBe('MistralForSequenceClassification');
    expect(classifier().architecture).toBe('LlamaForSequenceClassification');
  });

  it('refuses labels out of range before they reach a device', () => {
    expect(() => labelTensor([0, 2], 2)).toThrow(
      new RangeError('labelTensor: labels must be whole numbers from 0 to 1, or -100, got 2 at 1'),
    );
    expect(labelTensor([0, -100], 2).shape).toEqual([2]);
  });
});

describe('BERT', () => {
  const { numKeyValueHeads: _llama, ...sizes } = TINY;

  it('takes the first type and the places in order unless told otherwise', async () => {
    const model = tinyBert().eval();
    const inputIds = ids([1, 2, 3], [4, 5, 6]);
    const plain = await model.forward({ inputIds }).logits.data();
    const told = await model
      .forward({
        inputIds,
        tokenTypeIds: ids([0, 0, 0], [0, 0, 0]),
        positions: { ids: ids([0, 1, 2], [0, 1, 2]), max: 2 },
      })
      .logits.data();
    expectClose(told, plain, EXACT);
    const second = await model.forward({ inputIds, tokenTypeIds: ids([1, 1, 1], [1, 1, 1]) }).logits.data();
    expect(second).not.toEqual(plain);
  });

  it('does not see padding', async () => {
    const model = tinyBert().eval();
    const batch = tokenBatch(ROWS, { vocabSize: TINY.vocabSize });
    const together = await model.forward(batch).logits.data();
    const alone = await model.forward({ inputIds: ids(ROWS[1]!) }).logits.data();
    expectClose(together.slice(3), alone, REORDERED);
  });

  it('drops in training, the same for the same seed, and not in evaluation', async () => {
    const run = (mode: boolean) => {
      const model = tinyBert({ hiddenDropoutProb: 0.2 }).train(mode);
      return noGrad(() => model.forward({ inputIds: ids(ROWS[0]!) })).logits.data();
    };
    expect(await run(true)).toEqual(await run(true));
    expect(await run(true)).not.toEqual(await run(false));
  });

  it('ties its decoder to the words, with a bias of its own', () => {
    const model = BertForMaskedLM.create(sizes, { rng: rng() });
    expect(model.cls.predictions.decoder.weight).toBe(model.bert.embeddings.wordEmbeddings.weight);
    const untied = BertForMaskedLM.create({ ...sizes, tieWordEmbeddings: false }, { rng: rng() });
    expect(untied.cls.predictions.decoder.weight).not.toBe(untied.bert.embeddings.wordEmbeddings.weight);
    expect(model.bert.pooler).toBeNull();
  });

  it('names an input that does not fit', () => {
    const model = tinyBert();
    expect(() => model.forward({ inputIds: ids(Array.from({ length: 65 }, () => 1)) })).toThrow(
      new RangeError('BertModel: texts have at most 64 tokens, got position 64; truncate them'),
    );
    expect(() => model.forward({ inputIds: ids([1, 2]), tokenTypeIds: ids([0]) })).toThrow(
      new ShapeError('BertModel: tokenTypeIds must be [B, T]: expected [1,2], got [1,1]'),
    );
  });
});

describe('a model made in code', () => {
  it('has the same weights for the same seed, normal with initializer_range, and biases of 0', async () => {
    const weights = (seed: number) => tinyBert({}, seed).bert.encoder.layer[0]!.intermediate.dense;
    const [one, again, other] = [weights(1), weights(1), weights(2)];
    expect(await one.floatWeight().data()).toEqual(await again.floatWeight().data());
    expect(await one.floatWeight().data()).not.toEqual(await other.floatWeight().data());
    expectClose(await one.bias!.data(), new Float32Array(20), EXACT);
    const values = await one.floatWeight().data();
    const std = Math.sqrt(Array.from(values).reduce((sum, value) => sum + value * value, 0) / values.length);
    expect(Math.abs(std - 0.3)).toBeLessThan((4 * 0.3) / Math.sqrt(2 * values.length)); // four standard deviations
  });

  it('trains: a few steps lower its loss', async () => {
    const model = tinyLlama();
    const batch = tokenBatch(ROWS, { vocabSize: TINY.vocabSize, labels: true });
    const losses: number[] = [];
    for (let step = 0; step < 20; step++) {
      const { loss } = model.forward(batch);
      loss!.backward();
      losses.push(await loss!.item());
      for (const parameter of model.parameters()) parameter.add_(parameter.grad as Tensor, -0.1);
      model.zeroGrad();
    }
    expect(losses.at(-1)).toBeLessThan(losses[0]! / 5);
  });
});
