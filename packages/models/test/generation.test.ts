import {
  type CausalInput,
  type CausalModel,
  canGenerate,
  drawToken,
  generate,
  type LogitsProcessor,
  likeliestToken,
  minP,
  processorsOf,
  type RowProgress,
  repetitionPenalty,
  softmaxRow,
  temperature,
  tokenBatch,
  topK,
  topP,
} from '@burin/models';
import { Module } from '@burin/nn';
import { cpu } from '@burin/tensor';
import { expectClose, type Fixture, FLOAT32, readFixture, seededRandom } from '@burin/testing';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ids, logitsOf, rng, TINY, tinyBert, tinyLlama } from './support.js';

const PROMPT = [1, 5, 9, 2];
const model = tinyLlama();

describe("a model of one's own", () => {
  class Around extends Module implements CausalModel {
    readonly config = model.config;
    readonly forward: CausalModel['forward'];

    constructor(input: (given: CausalInput) => CausalInput) {
      super();
      this.forward = (given) => model.forward(input(given));
    }
  }
  const options = { maxNewTokens: 5, eosTokenIds: [] };

  it('may give logits of all tokens', async () => {
    const generous = new Around((input) => ({ ...input, logitsToKeep: input.inputIds.shape[1]! }));
    const expected = await generate(model, [PROMPT, [3]], options);
    expect(await generate(generous, [PROMPT, [3]], options)).toEqual(expected);
  });

  it('is refused where it passes over the caches, and may do without', async () => {
    const { liveBytes } = cpu().memory;
    const forgetful = new Around((input) => ({ ...input, cache: null }));
    await expect(generate(forgetful, [PROMPT], options)).rejects.toThrow(
      'generate: the model must add its tokens to the cache of each layer: expected 4 in cache[0], got 0; ' +
        "give it to the layer's attention, or pass useCache: false",
    );
    expect(cpu().memory.liveBytes).toBe(liveBytes);
    const uncached = { ...options, useCache: false };
    expect(await generate(forgetful, [PROMPT], uncached)).toEqual(await generate(model, [PROMPT], options));
  });
});

describe('greedy generation', () => {
  it('takes the likeliest token at each step', async () => {
    const [row] = await generate(model, [PROMPT], { maxNewTokens: 6, eosTokenIds: [] });
    expect(row!.slice(0, 4)).toEqual(PROMPT);
    expect(row!.length).toBe(10);
    for (let length = 4; length < 10; length++) {
      const logits = await logitsOf(model, ids(row!.slice(0, length)));
      expect(likeliestToken(logits.slice(-TINY.vocabSize)), `token ${length}`).toBe(row![length]);
    }
  });

  const prompts = fc.array(fc.array(fc.integer({ min: 0, max: TINY.vocabSize - 1 }), { minLength: 1, maxLength: 9 }), {
    minLength: 1,
    maxLength: 4,
  });

  it('goes on with each row of a batch as it would alone, with the cache and without', async () => {
    await fc.assert(
      fc.asyncProperty(prompts, async (rows) => {
        const options = { maxNewTokens: 5, eosTokenIds: [3] };
        const batch = await generate(model, rows, options);
        expect(await generate(model, rows, { ...options, useCache: false })).toEqual(batch);
        for (const [r, row] of rows.entries()) expect(await generate(model, [row], options)).toEqual([batch[r]]);
      }),
      { numRuns: 25, seed: 1 },
    );
  });

  it('keeps to a sliding window, with the cache and without', async () => {
    const sliding = tinyLlama({ modelType: 'mistral', slidingWindow: 3 });
    const all = tinyLlama({ modelType: 'mistral', slidingWindow: null });
    const options = { maxNewTokens: 12, eosTokenIds: [] };
    const row = await generate(sliding, [PROMPT], options);
    expect(await generate(sliding, [PROMPT], { ...options, useCache: false })).toEqual(row);
    expect(await generate(all, [PROMPT], options)).not.toEqual(row);
  });
});

describe('the end of a row', () => {
  it('is an end token, which is kept, while other rows go on', async () => {
    const [first] = await generate(model, [PROMPT], { maxNewTokens: 8, eosTokenIds: [] });
    const end = first![5]!;
    const steps: (readonly (number | null)[])[] = [];
    const rows = await generate(model, [PROMPT, [7]], {
      ...{ maxNewTokens: 8, eosTokenIds: [end], onToken: (tokens: readonly (number | null)[]) => steps.push(tokens) },
    });
    expect(rows[0]).toEqual(first!.slice(0, first!.indexOf(end, 4) + 1));
    const added = [rows[0]!.length - 4, rows[1]!.length - 1];
    expect(steps.length).toBe(Math.max(...added));
    expect(steps.map((tokens) => tokens[0] !== null)).toEqual(steps.map((_, step) => step < added[0]!));
    expect(steps.flatMap((tokens) => tokens[1] ?? [])).toEqual(rows[1]!.slice(1));
  });

  it('is config.json’s eos_token_id where no other is given', async () => {
    const [first] = await generate(model, [PROMPT], { maxNewTokens: 8, eosTokenIds: [] });
    const ending = tinyLlama({ eosTokenId: [first![6]!, 36] });
    expect((await generate(ending, [PROMPT], { maxNewTokens: 8 }))[0]).toEqual(
      first!.slice(0, first!.indexOf(first![6]!, 4) + 1),
    );
  });

  it('is there at once where no token is wanted', async () => {
    expect(await generate(model, [PROMPT, [1]], { maxNewTokens: 0 })).toEqual([PROMPT, [1]]);
    expect(await generate(model, [])).toEqual([]);
  });
});

describe('sampling', () => {
  const options = { maxNewTokens: 12, doSample: true, eosTokenIds: [] };

  it('draws the same for the same seed', async () => {
    const draw = (seed: number) => generate(model, [PROMPT], { ...options, rng: rng(seed) });
    expect(await draw(3)).toEqual(await draw(3));
    expect(await draw(3)).not.toEqual(await draw(4));
  });

  it('is greedy with topK = 1, and at a temperature near 0', async () => {
    const greedy = await generate(model, [PROMPT], { ...options, doSample: false });
    expect(await generate(model, [PROMPT], { ...options, rng: rng(), topK: 1 })).toEqual(greedy);
    expect(await generate(model, [PROMPT], { ...options, rng: rng(), temperature: 1e-4 })).toEqual(greedy);
  });

  it('draws for a row what it drew beside others, whatever they are', async () => {
    const prompts = [PROMPT, [7], [3, 4]];
    const batch = await generate(model, prompts, { ...options, seed: 9 });
    // by its place
    expect(await generate(model, [PROMPT, [30, 2, 1]], { ...options, seed: 9 })).toEqual([batch[0], expect.anything()]);
    expect(await generate(model, prompts, { ...options, seed: 9, eosTokenIds: [batch[0]![6]!] })).not.toEqual(batch);
    // by a seed of its own, wherever it stands
    const rows = await generate(model, prompts, { ...options, seed: [4, 5, 6] });
    expect(await generate(model, [[3, 4], PROMPT], { ...options, seed: [6, 4] })).toEqual([rows[2], rows[0]]);
    await expect(generate(model, prompts, { ...options, seed: [1] })).rejects.toThrow(
      'generate: seed must have one number a row: expected 3, got 1',
    );
  });

  it('draws other sequences for the same prompt, in one batch and one after the other', async () => {
    const five = await generate(model, [PROMPT], { ...options, seed: 2, numReturnSequences: 5 });
    expect(new Set(five.map(String)).size).toBe(5);
    expect(await generate(model, [PROMPT], { ...options, seed: 2 })).toEqual([five[0]]);
    expect(new Set((await generate(model, [PROMPT, PROMPT], { ...options, seed: 2 })).map(String)).size).toBe(2);
    const generator = rng(2);
    const [first, second] = [
      await generate(model, [PROMPT], { ...options, rng: generator }),
      await generate(model, [PROMPT], { ...options, rng: generator }),
    ];
    expect(first).not.toEqual(second);
    expect(first).toEqual(await generate(model, [PROMPT], { ...options, seed: 2 }));
  });

  it('draws tokens as often as they are likely', () => {
    const logits = Float32Array.of(0, Math.log(2), -Infinity, Math.log(5)); // 1/8, 2/8, 0, 5/8
    const draws = 8000;
    const counts = [0, 0, 0, 0];
    for (const u of seededRandom(1).uniform(draws)) counts[drawToken(logits, u)]!++;
    for (const [token, p] of [1 / 8, 2 / 8, 0, 5 / 8].entries()) {
      // four standard deviations of a binomial
      expect(Math.abs(counts[token]! - p * draws)).toBeLessThanOrEqual(4 * Math.sqrt(draws * p * (1 - p)));
    }
    expect(drawToken(logits, 0)).toBe(0);
    expect(drawToken(logits, 1 - 1e-17)).toBe(3);
  });
});

describe('logits processors agree with transformers', () => {
  const fixture = readFixture('generation', 'logits_processors');
  const number = (name: string) => fixture.number(name);
  const cases: Record<string, LogitsProcessor[]> = {
    temperature: [temperature(number('temperature'))],
    top_k: [topK(number('top_k'))],
    top_p: [topP(number('top_p'))],
    top_p_small: [topP(0.05)],
    repetition_penalty: [repetitionPenalty(number('repetition_penalty'))],
    top_k_then_top_p: [topK(number('top_k')), topP(number('top_p'))],
    chain: processorsOf({
      ...{ doSample: true, temperature: number('temperature'), topK: number('top_k'), topP: number('top_p') },
      repetitionPenalty: number('repetition_penalty'),
    }),
  };

  it('in every case that the fixture has', () => {
    const named = Object.keys(fixture.manifest.tensors).filter((name) => name.endsWith('.logits'));
    expect(named.map((name) => name.slice(0, -7)).sort()).toEqual(Object.keys(cases).sort());
  });

  it.each(Object.keys(cases))('%s', (name) => {
    eachRow(fixture, (row, logits, prompt) => {
      for (const process of cases[name]!) process(logits, prompt);
      expectClose(logits, rowOf(fixture, `${name}.logits`, row), fixture.tolerance(`${name}.logits`));
      expectClose(softmaxRow(logits), rowOf(fixture, `${name}.probs`, row), fixture.tolerance(`${name}.probs`));
    });
  });

  it('greedy', () => {
    eachRow(fixture, (row, logits) => expect(likeliestToken(logits)).toBe(fixture.ints('greedy')[row]));
  });
});

function rowOf(fixture: Fixture, name: string, row: number): Float32Array {
  const vocab = fixture.number('vocab');
  return fixture.floats(name).slice(row * vocab, (row + 1) * vocab);
}

function eachRow(fixture: Fixture, check: (row: number, logits: Float32Array, prompt: number[]) => void): void {
  const length = fixture.number('prompt_length');
  for (let row = 0; row < fixture.number('batch'); row++) {
    const prompt = [...fixture.ints('input_ids').slice(row * length, (row + 1) * length)];
    check(row, rowOf(fixture, 'logits', row), prompt);
  }
}

describe('logits processors', () => {
  const after = (process: LogitsProcessor, logits: number[], ids: number[], row?: RowProgress) => {
    const changed = Float32Array.from(logits);
    process(changed, ids, row);
    return [...changed];
  };

  it('of minP drop what is less likely than a share of the likeliest', () => {
    const logits = [1, 2, 5, 10].map(Math.log); // probabilities 1/18, 2/18, 5/18, 10/18
    const kept = (p: number) => after(minP(p), logits, []).map((logit) => logit > -Infinity);
    expect(kept(0.15)).toEqual([false, true, true, true]);
    expect(kept(0.45)).toEqual([false, false, true, true]);
    expect(kept(1)).toEqual([false, false, false, true]);
    expect(kept(0)).toEqual([true, true, true, true]);
    expect(() => minP(1.5)).toThrow(new RangeError('minP: must be in [0, 1], got 1.5'));
  });

  it('of presence and frequency count what was added, not the prompt', () => {
    const [process] = processorsOf({ presencePenalty: 0.5, frequencyPenalty: 0.25 });
    const row = { promptLength: 2, maxNewTokens: 9 };
    expect(after(process!, [1, 1, 1, -1], [0, 0, 2, 3, 2], row)).toEqual([1, 1, 0, -1.75]);
    expect(() => processorsOf({ presencePenalty: Number.NaN })).toThrow(
      'presencePenalty: must be a finite number, got NaN',
    );
  });

  it('come in transformers’ order, one’s own before those of sampling', () => {
    const seen: number[][] = [];
    const own: LogitsProcessor = (logits) => void seen.push([...logits]);
    const options = {
      doSample: true,
      temperature: 2,
      repetitionPenalty: 2,
      suppressTokens: [1],
      logitsProcessors: [own],
    };
    const logits = Float32Array.of(8, 4, 2);
    for (const process of processorsOf(options)) process(logits, [0]);
    expect(seen).toEqual([[4, -Infinity, 2]]);
    expect([...logits]).toEqual([2, -Infinity, 1]);
  });

  it('say so where they leave nothing to choose', async () => {
    const all = Array.from({ length: TINY.vocabSize }, (_, token) => token);
    const none = 'generate: no token is left to choose after 4 tokens: everything is ruled out by suppressTokens';
    for (const options of [{}, { doSample: true, seed: 1 }, { numBeams: 2 }]) {
      await expect(generate(model, [PROMPT], { ...options, suppressTokens: all })).rejects.toThrow(none);
    }
  });

  it('are checked', () => {
    expect(() => processorsOf({ noRepeatNgramSize: 1.5 })).toThrow(
      'noRepeatNgramSize: must be a whole number of 1 or more, got 1.5',
    );
    expect(() => processorsOf({ badWordsIds: [[]] })).toThrow('badWordsIds: a sequence must have one token at least');
  });

  it('leave sampling’s options out where nothing is sampled', () => {
    expect(processorsOf({ temperature: 2, topK: 3, topP: 0.5 })).toEqual([]);
    expect(processorsOf({ repetitionPenalty: 2 }).length).toBe(1);
  });

  it('draw a token that is forced by Infinity, and refuse a temperature that makes Infinity of others', () => {
    const [scale] = processorsOf({ doSample: true, temperature: 0.5 });
    expect(drawToken(after(scale!, [1, Infinity, -2, 2], []), 0.999)).toBe(1);
    expect(after(temperature(1e-38), [1, -Infinity, -5], []).slice(0, 2)).toEqual([Math.fround(1e38), -Infinity]);
    expect(() => after(temperature(Number.MIN_VALUE), [-1, 3], [])).toThrow(
      'temperature: must leave logits of 3 finite, got 5e-324; for the likeliest token use doSample: false',
    );
  });

  it('keep every token with topK above the vocabulary and topP of 1', () => {
    for (const process of [topK(99), topP(1)]) {
      const logits = Float32Array.of(1, 2, 3);
      process(logits, []);
      expect([...logits]).toEqual([1, 2, 3]);
    }
  });

  it('give probabilities that sum to 1, whatever the logits', () => {
    expect([...softmaxRow([3, Infinity, 2, Infinity])]).toEqual([0, 0.5, 0, 0.5]);
    expectClose(softmaxRow([1000, 999, -Infinity]), [1 / (1 + 1 / Math.E), 1 / (1 + Math.E), 0], FLOAT32);
  });

  it('refuse settings out of range', () => {
    expect(() => temperature(0)).toThrow('temperature: must be greater than 0, got 0; for the likeliest token');
    expect(() => topK(0)).toThrow(new RangeError('topK: must be a whole number of 1 or more, got 0'));
    expect(() => topP(0)).toThrow(new RangeError('topP: must be in (0, 1], got 0'));
    expect(() => topP(1.1)).toThrow('got 1.1');
    expect(() => repetitionPenalty(-1)).toThrow(new RangeError('repetitionPenalty: must be greater than 0, got -1'));
  });
});

describe('generate', () => {
  it('leaves each module in the mode that it was in', async () => {
    const mixed = tinyLlama().train();
    mixed.model.norm.eval();
    await generate(mixed, [PROMPT], { maxNewTokens: 1 });
    expect(mixed.training).toBe(true);
    expect(mixed.model.layers[0]!.training).toBe(true);
    expect(mixed.model.norm.training).toBe(false);
  });

  it('frees what it used', async () => {
    await generate(model, [PROMPT], { maxNewTokens: 3 }); // the rotary tables stay
    const before = cpu().memory.liveBuffers;
    await generate(model, [PROMPT, [1]], { maxNewTokens: 3 });
    await generate(model, [PROMPT, [1]], { maxNewTokens: 3, useCache: false });
    await expect(generate(model, [PROMPT, []])).rejects.toThrow();
    expect(cpu().memory.liveBuffers).toBe(before);
  });

  it.each([
    [{ cache: 'offloaded' }, 'cache must be dynamic, static, sliding, quantized or a function, got offloaded'],
    [{ earlyStopping: 'always' }, 'earlyStopping must be true, false or never, got always'],
    [{ eosTokenIds: '</s>' }, 'eosTokenIds must be a list of token ids, such as [2], got </s>'],
    [{ eosTokenIds: ['2'] }, 'eosTokenIds must be a list of token ids, such as [2], got 2'],
  ])('refuses %o, which it would pass over', async (options, message) => {
    await expect(generate(model, [PROMPT], options as never)).rejects.toThrow(new RangeError(`generate: ${message}`));
  });

  it('refuses what it cannot go on from', async () => {
    const classifier = tinyBert();
    expect([canGenerate(model), canGenerate(classifier)]).toEqual([true, false]);
    await expect(generate(classifier as never, [PROMPT])).rejects.toThrow(
      'generate: BertForSequenceClassification does not say which token is next: expected a model with a language-model head',
    );
    const rows = 'generate: expected rows of token ids, such as [tokenizer.encode(text)], got';
    await expect(generate(model, 'Once' as never)).rejects.toThrow(`${rows} string`);
    await expect(generate(model, PROMPT as never)).rejects.toThrow(`${rows} a list of number`);
    expect(() => tokenBatch(PROMPT as never, { vocabSize: 37 })).toThrow('tokenBatch: expected rows of token ids');
    expect(() => tokenBatch([PROMPT], { vocabSize: 37, paddingSide: 'Left' as never })).toThrow(
      new RangeError('tokenBatch: paddingSide must be left or right, got Left'),
    );
    expect(() => tokenBatch([PROMPT], { vocabSize: 37, padding: 'left' } as never)).toThrow(
      'tokenBatch: there is no option padding; expected padTokenId, paddingSide, vocabSize, labels',
    );
    await expect(generate(model, [PROMPT], { max_new_tokens: 3 } as object)).rejects.toThrow(
      "generate: there is no option max_new_tokens; options have transformers' names in camelCase: maxNewTokens, ",
    );
    await expect(generate(model, [[]])).rejects.toThrow('tokenBatch: row 0 is empty; a row needs one id at least');
    await expect(generate(model, [[1], [37]])).rejects.toThrow(
      'tokenBatch: row 1: ids must be whole numbers from 0 to 36, got 37 at 0',
    );
    await expect(generate(model, [PROMPT], { maxNewTokens: 62 })).rejects.toThrow(
      new RangeError("generate: 4 tokens and 62 more do not fit the model's 64 positions; ask for fewer"),
    );
    await expect(generate(model, [PROMPT], { maxNewTokens: 1.5 })).rejects.toThrow(
      'generate: maxNewTokens must be a whole number of 0 or more, got 1.5',
    );
    await expect(generate(model, [PROMPT], { doSample: true })).rejects.toThrow(
      'generate: sampling needs random numbers: expected seed: 42 or rng: new Generator(42), got neither; ' +
        'for the likeliest tokens use doSample: false',
    );
  });

  it('says so where the weights hold NaN', async () => {
    const broken = tinyLlama();
    broken.model.norm.weight.fill_(Number.NaN);
    await expect(generate(broken, [PROMPT])).rejects.toThrow(
      'generate: logits are NaN after 4 tokens; the weights hold NaN or overflow',
    );
  });
});
