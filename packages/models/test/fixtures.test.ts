import {
  type BertForMaskedLM,
  type CausalModel,
  fromPretrained,
  generate,
  generateFromEncoder,
  type LlamaForCausalLM,
  T5ForConditionalGeneration,
  tokenBatch,
} from '@burin/models';
import { tensor } from '@burin/tensor';
import { expectClose, expectFixture, type Fixture, fixtureTensor, readFixture } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { fixtureFolder } from './support.js';

const CASES = [
  ...['llama_gqa_tied', 'llama_gqa_untied', 'llama_rope_llama3', 'llama_seqcls'],
  ...['mistral_sliding_window', 'qwen2_qkv_bias', 'bert_mlm', 'bert_seqcls', 'gpt2', 'roberta_seqcls'],
];

/** Tolerances of the manifest's numbers that are no tensors. */
function valueTolerance({ manifest }: Fixture, name: string): { rtol: number; atol: number } {
  const tolerances = (manifest as { expected_values_tolerance?: Record<string, { rtol: number; atol: number }> })
    .expected_values_tolerance;
  return tolerances![name]!;
}

/** Values of `[B, T, ...]` at real tokens. */
function atTokens(values: ArrayLike<number>, mask: Int32Array): number[] {
  const width = values.length / mask.length;
  return Array.from(values).filter((_, i) => mask[Math.floor(i / width)] === 1);
}

describe.each(CASES)('%s agrees with transformers', (name) => {
  const fixture = readFixture('models', name);
  const expected = Object.keys(fixture.manifest.tensors);

  it('in logits, states, loss and gradients', async () => {
    const model = await fromPretrained(fixtureFolder(name));
    const mask = fixture.ints('attention_mask');
    const { logits, loss, hiddenStates } = (model as BertForMaskedLM).forward({
      inputIds: fixtureTensor(fixture, 'input_ids'),
      attentionMask: tensor(Uint8Array.from(mask), fixture.shape('attention_mask')),
      labels: fixtureTensor(fixture, 'labels'),
      ...(fixture.has('token_type_ids') && { tokenTypeIds: fixtureTensor(fixture, 'token_type_ids') }),
      outputHiddenStates: true,
    });
    loss!.backward();
    if (logits.shape.length === 2) await expectFixture(fixture, 'logits', logits);
    const states = hiddenStates!.map((state, i) => [`hidden.${i}`, state] as const);
    expect(states.length).toBe(expected.filter((key) => key.startsWith('hidden.')).length);
    for (const [key, actual] of [...states, ['logits', logits] as const]) {
      if (actual.shape.length === 2) continue;
      const reference = atTokens(fixture.floats(key), mask);
      expectClose(atTokens(await actual.data(), mask), reference, fixture.tolerance(key), key);
    }
    const expectedLoss = fixture.manifest.expected_values!.loss as number;
    expectClose([await loss!.item()], [expectedLoss], valueTolerance(fixture, 'loss'), 'loss');
    const parameters = new Map(model.namedParameters({ duplicates: true }));
    const gradients = expected.filter((key) => key.startsWith('grad.'));
    expect(gradients.length).toBeGreaterThan(2);
    for (const key of gradients) await expectFixture(fixture, key, parameters.get(key.slice(5))!.grad);
  });
});

const GENERATING = CASES.filter((name) => readFixture('models', name).has('generate.output'));

describe.each(GENERATING)('%s generates what transformers does', (name) => {
  const fixture = readFixture('models', name);

  it('with and without the cache', async () => {
    const model = (await fromPretrained(fixtureFolder(name))) as CausalModel;
    for (const key of ['generate', 'generate_batch']) {
      if (!fixture.has(`${key}.prompt`)) continue;
      const prompts = rows(fixture, `${key}.prompt`);
      const mask = fixture.has(`${key}.attention_mask`) ? rows(fixture, `${key}.attention_mask`) : null;
      const real = prompts.map((row, r) => row.filter((_, t) => !mask || mask[r]![t] === 1)); // padded on the left
      const output = rows(fixture, `${key}.output`);
      const maxNewTokens = output[0]!.length - prompts[0]!.length;
      for (const useCache of [true, false]) {
        const made = await generate(model, real, { maxNewTokens, useCache, eosTokenIds: [] });
        expect(made.map((row, r) => row.slice(real[r]!.length))).toEqual(
          output.map((row) => row.slice(prompts[0]!.length)),
        );
      }
    }
  });
});

function rows(fixture: Fixture, name: string): number[][] {
  const width = fixture.shape(name)[1]!;
  const values = fixture.ints(name);
  return Array.from({ length: values.length / width }, (_, r) => [...values.slice(r * width, (r + 1) * width)]);
}

describe('llama_gqa_tied', () => {
  it('has the logits of the fixture whichever side is padded', async () => {
    const fixture = readFixture('models', 'llama_gqa_tied');
    const model = (await fromPretrained(fixtureFolder('llama_gqa_tied'))) as LlamaForCausalLM;
    const lengths = fixture.manifest.config.lengths as number[];
    const texts = rows(fixture, 'input_ids').map((row, r) => row.slice(0, lengths[r]));
    const batch = tokenBatch(texts, { vocabSize: model.config.vocabSize, paddingSide: 'left' });
    const { logits } = model.forward(batch);
    const [, tokens, vocab] = logits.shape as [number, number, number];
    const left = await logits.data();
    const right = fixture.floats('logits');
    for (const [r, length] of lengths.entries()) {
      const [startLeft, startRight] = [(r * tokens + tokens - length) * vocab, r * tokens * vocab];
      expectClose(
        left.slice(startLeft, startLeft + length * vocab),
        right.slice(startRight, startRight + length * vocab),
        fixture.tolerance('logits'),
      );
    }
  });
});

describe.each(['t5_relu_tied', 't5_gated_gelu_untied'])('%s agrees with transformers', (name) => {
  const fixture = readFixture('models', name);

  it('in logits, states, loss and gradients', async () => {
    const model = await T5ForConditionalGeneration.fromPretrained(fixtureFolder(name));
    const mask = fixture.ints('attention_mask');
    const { logits, loss, hiddenStates, encoderHiddenStates } = model.forward({
      inputIds: fixtureTensor(fixture, 'input_ids'),
      attentionMask: tensor(Uint8Array.from(mask), fixture.shape('attention_mask')),
      labels: fixtureTensor(fixture, 'labels'),
      outputHiddenStates: true,
    });
    loss!.backward();
    await expectFixture(fixture, 'logits', logits);
    for (const [i, states] of hiddenStates!.entries()) await expectFixture(fixture, `decoder_hidden.${i}`, states);
    for (const [i, states] of encoderHiddenStates!.entries()) {
      const [key, reference] = [`encoder_hidden.${i}`, fixture.floats(`encoder_hidden.${i}`)];
      expectClose(atTokens(await states.data(), mask), atTokens(reference, mask), fixture.tolerance(key), key);
    }
    const expectedLoss = fixture.manifest.expected_values!.loss as number;
    expectClose([await loss!.item()], [expectedLoss], valueTolerance(fixture, 'loss'), 'loss');
    const parameters = new Map(model.namedParameters({ duplicates: true }));
    for (const key of Object.keys(fixture.manifest.tensors).filter((each) => each.startsWith('grad.'))) {
      await expectFixture(fixture, key, parameters.get(key.slice(5))!.grad);
    }
  });

  it('in what it generates, with the caches and without', async () => {
    const model = await T5ForConditionalGeneration.fromPretrained(fixtureFolder(name));
    const length = (fixture.manifest.config.lengths as number[])[0]!;
    const source = rows(fixture, 'input_ids')[0]!.slice(0, length);
    const output = rows(fixture, 'generate.output');
    for (const useCache of [true, false]) {
      const options = { maxNewTokens: output[0]!.length - 1, useCache, eosTokenIds: [] };
      expect(await generateFromEncoder(model, [source], options)).toEqual(output);
    }
  });
});
