import { join } from 'node:path';
import { DynamicCache, type KeyValueCache, QuantizedCache, SlidingCache, StaticCache } from '@burin/attention';
import {
  type CacheKind,
  type GenerateOptions,
  generate,
  LlamaForCausalLM,
  likeliestToken,
  Phi3ForCausalLM,
} from '@burin/models';
import { cpu, noGrad, scope } from '@burin/tensor';
import { describe, expect, it } from 'vitest';
import { hasSharedModels, ids, rng, SHARED_MODELS, TINY, tinyLlama } from './support.js';

const PROMPT = [1, 5, 9, 2];
const NEW = 200;
const LENGTH = PROMPT.length + NEW;
/** [K, D] of TINY, keys and values, float32. */
const TOKEN_BYTES = 2 * 6 * 2 * 4;

/** Generates with caches of this kind, and returns what they held at the most and at the end, a layer on average. */
async function measured(model: LlamaForCausalLM, make: () => KeyValueCache, options: GenerateOptions = {}) {
  const caches: KeyValueCache[] = [];
  const bytes: number[] = [];
  const cache = () => {
    const made = make();
    caches.push(made);
    return made;
  };
  const onToken = () => {
    bytes.push(caches.reduce((sum, each) => sum + each.byteLength, 0) / caches.length);
  };
  const rows = await generate(model, [PROMPT], { maxNewTokens: NEW, eosTokenIds: [], ...options, cache, onToken });
  return { rows, most: Math.max(...bytes), first: bytes[0]! };
}

const long = { maxPositionEmbeddings: 256 };

describe('what generation keeps, in bytes a layer', () => {
  it('doubles with a dynamic cache, and is there from the start with a static one', async () => {
    const model = tinyLlama(long);
    const dynamic = await measured(model, () => new DynamicCache({ capacity: 8 }));
    expect([dynamic.first, dynamic.most]).toEqual([8 * TOKEN_BYTES, 256 * TOKEN_BYTES]);
    const fixed = await measured(model, () => new StaticCache({ maxLength: LENGTH }));
    expect([fixed.first, fixed.most]).toEqual([LENGTH * TOKEN_BYTES, LENGTH * TOKEN_BYTES]);
    expect(fixed.rows).toEqual(dynamic.rows);
  });

  it('is asked for by name', async () => {
    const model = tinyLlama({ ...long, modelType: 'mistral', slidingWindow: 16 });
    const heldWith = async (cache: CacheKind) => {
      const before = cpu().memory.liveBytes;
      const bytes: number[] = [];
      const onToken = () => bytes.push((cpu().memory.liveBytes - before) / model.model.layers.length);
      await generate(model, [PROMPT], { maxNewTokens: NEW, eosTokenIds: [], cache, onToken });
      return [bytes[0], bytes.at(-1)];
    };
    await heldWith('dynamic'); // the rotary tables stay
    expect(await heldWith('static')).toEqual([LENGTH * TOKEN_BYTES, LENGTH * TOKEN_BYTES]);
    expect(await heldWith('dynamic')).toEqual([132 * TOKEN_BYTES, 264 * TOKEN_BYTES]);
    expect(await heldWith('sliding')).toEqual([4 * TOKEN_BYTES, 19 * TOKEN_BYTES]);
    const [first, last] = await heldWith('quantized');
    expect(first).toBe(128 * TOKEN_BYTES + 1024);
    expect(last).toBe(128 * TOKEN_BYTES * (1 + 9 / 32) + 1024);
  });

  it('is the window and a quarter with a sliding cache, and the text is that of all tokens', async () => {
    const model = tinyLlama({ ...long, modelType: 'mistral', slidingWindow: 16 });
    const all = await measured(model, () => new DynamicCache());
    const sliding = await measured(model, () => new SlidingCache({ window: 16 }));
    expect(sliding.rows).toEqual(all.rows);
    expect(sliding.most).toBe((15 + 4) * TOKEN_BYTES);
    expect(await generate(model, [PROMPT], { maxNewTokens: NEW, eosTokenIds: [], cache: 'sliding' })).toEqual(all.rows);
  });

  it('is a quarter, or a seventh, of that with a quantized cache, but for the newest tokens', async () => {
    const model = tinyLlama(long);
    const packed = (bits: 4 | 8) => measured(model, () => new QuantizedCache({ bits, residualLength: 32 }));
    const steps = 256 * 4;
    const residual = 32 * TOKEN_BYTES;
    const tokens = Math.floor((LENGTH - 1) / 32) * 32; // the last token is not read
    expect((await packed(8)).most).toBe(tokens * (TOKEN_BYTES / 4) * (1 + 4 / 32) + residual + steps);
    expect((await packed(4)).most).toBe(tokens * (TOKEN_BYTES / 8) * (1 + 8 / 32) + residual + steps);
  });
});

describe('longrope, which turns all keys otherwise once a text is long', () => {
  const phi = () =>
    Phi3ForCausalLM.create(
      {
        ...{ ...TINY, hiddenSize: 32, slidingWindow: 9, eosTokenId: [] },
        ropeScaling: {
          ...{ type: 'longrope', shortFactor: [1, 1, 1.5, 2], longFactor: [2, 4, 8, 16] },
          originalMaxPositionEmbeddings: 12,
        },
      },
      { rng: rng(9) },
    );
  const caches = ['dynamic', 'static', 'sliding', () => new QuantizedCache({ residualLength: 64 })] as const;

  it.each(caches)('goes on as without a cache beyond that length: %s', async (cache) => {
    const model = phi();
    const options = { maxNewTokens: 16 };
    const expected = await generate(model, [PROMPT], { ...options, useCache: false });
    expect(await generate(model, [PROMPT], { ...options, cache })).toEqual(expected);
    const beams = { ...options, numBeams: 3, numReturnSequences: 2 };
    expect(await generate(model, [PROMPT], { ...beams, cache })).toEqual(
      await generate(model, [PROMPT], { ...beams, useCache: false }),
    );
  });

  it('turns them back where the long row of a batch ends before the others', async () => {
    const prompts = [[4, 8, 3], Array.from({ length: 11 }, (_, i) => i + 1)];
    const options = { maxLength: 15 };
    const rows = await generate(phi(), prompts, options);
    expect(rows).toEqual(await generate(phi(), prompts, { ...options, useCache: false }));
  });
});

describe.skipIf(!hasSharedModels)('stories260k', () => {
  const load = () => LlamaForCausalLM.fromPretrained(join(SHARED_MODELS, 'stories260k'));
  const ONCE = [1, 403, 407, 261, 378];

  it('tells the same story with the static cache, and with 8 bits', { timeout: 60_000 }, async () => {
    const model = await load();
    const tell = (cache: GenerateOptions['cache'] = 'dynamic') => generate(model, [ONCE], { maxNewTokens: 300, cache });
    const story = await tell();
    expect(await tell('static')).toEqual(story);
    expect(await tell(() => new QuantizedCache({ residualLength: 32 }))).toEqual(story);
  });

  /**
   * Measured: 0.140 and 4.89 at most, of logits up to 20; 0.0088 and 0.254 on average; the likeliest token is the same for 100
   * and 96.7 % of the places. Heads of 8 numbers are a hard case. The bounds are half as much again.
   */
  it.each([
    [8, { largest: 0.21, mean: 0.0132, same: 0.99 }],
    [4, { largest: 7.4, mean: 0.38, same: 0.94 }],
  ] as const)('has nearly the logits of the full cache in %i bits', { timeout: 60_000 }, async (bits, bound) => {
    const model = await load();
    const [story] = await generate(model, [ONCE], { maxNewTokens: 245, eosTokenIds: [] });
    const plain = await logitsOver(model, story!, () => new DynamicCache());
    const packed = await logitsOver(model, story!, () => new QuantizedCache({ bits, residualLength: 32 }));
    const differences = plain.map((logits, i) => logits.map((logit, j) => Math.abs(logit - packed[i]![j]!)));
    const largest = Math.max(...differences.map((row) => Math.max(...row)));
    const mean = average(differences.map(average));
    const same = average(plain.map((logits, i) => Number(likeliestToken(logits) === likeliestToken(packed[i]!))));
    console.log(
      `stories260k, keys and values in ${bits} bits: logits differ by ${largest.toFixed(3)} at most, ` +
        `${mean.toFixed(4)} on average; ${(100 * same).toFixed(1)} % of the likeliest tokens are the same`,
    );
    expect(largest).toBeGreaterThan(0);
    expect(largest).toBeLessThan(bound.largest);
    expect(mean).toBeLessThan(bound.mean);
    expect(same).toBeGreaterThan(bound.same);
  });
});

const average = (values: ArrayLike<number>) =>
  Array.from(values).reduce((sum, value) => sum + value, 0) / values.length;

/** Logits after the first 100 tokens of a text, and after each one that follows. */
async function logitsOver(model: LlamaForCausalLM, text: readonly number[], make: () => KeyValueCache) {
  const cache = model.model.layers.map(make);
  const all: Float32Array[] = [];
  for (const tokens of [text.slice(0, 100), ...text.slice(100).map((token) => [token])]) {
    const inputIds = ids([...tokens]);
    const logits = noGrad(() => scope(() => model.forward({ inputIds, cache, logitsToKeep: 1 }).logits));
    all.push((await logits.data()) as Float32Array);
    logits.dispose();
  }
  for (const each of cache) each.dispose();
  return all;
}
