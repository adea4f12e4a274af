import { join } from 'node:path';
import {
  BartForConditionalGeneration,
  GPT2LMHeadModel,
  generate,
  generateFromEncoder,
  LlamaForCausalLM,
  Tokenizer,
} from '@burin/models';
import { dequantizeModel, quantizeModel } from '@burin/quant-nf4';
import { describe, expect, it } from 'vitest';
import { expectSameFromFolder } from './promises.js';
import { hasSharedModels, ids, largestDifference, logitsOf, SHARED_MODELS, temporaryFolders } from './support.js';

const temporary = temporaryFolders();

const folder = (name: string) => join(SHARED_MODELS, name);

/** What the README of each model says that greedy decoding gives. */
const STORIES = [
  [
    'stories260k',
    'Once upon a time, there was a little girl named Lily. She loved to play outside in the park. ' +
      'One day, she saw a big, red ball.',
  ],
  [
    'tinystories-656k',
    'Once upon a time, a little girl named Lily lived in a small house with her mom, dad, and her dog, Spot,',
  ],
  [
    'babyllama-105',
    'Once upon a time, there was a little girl named Lily. She loved to play outside in the sunshine. ' +
      'One day, she went to the park with her mommy and daddy. She saw a big box on the ground.',
  ],
] as const;

const PROMPT = 'Once upon a time';
const given = hasSharedModels ? '' : ` (skipped: no folder ${SHARED_MODELS}; BURIN_SHARED names another)`;

describe.skipIf(!hasSharedModels).each(STORIES)(`%s${given}`, (name, story) => {
  it('goes on as its README says, with and without the cache, token for token', { timeout: 60_000 }, async () => {
    const model = await LlamaForCausalLM.fromPretrained(folder(name));
    const tokenizer = await Tokenizer.fromFolder(folder(name));
    const prompt = tokenizer.encode(PROMPT);
    const maxNewTokens = tokenizer.encode(story).length - prompt.length + 2;
    const [cached] = await generate(model, [prompt], { maxNewTokens });
    expect(tokenizer.decode(cached!).startsWith(story), tokenizer.decode(cached!)).toBe(true);
    const [plain] = await generate(model, [prompt], { maxNewTokens, useCache: false });
    expect(plain).toEqual(cached);
    model.dispose();
  });
});

describe.skipIf(!hasSharedModels)(`stories260k${given}`, () => {
  const load = () => LlamaForCausalLM.fromPretrained(folder('stories260k'));

  it('encodes its prompt as its README says', async () => {
    const tokenizer = await Tokenizer.fromFolder(folder('stories260k'));
    expect(tokenizer.encode(PROMPT)).toEqual([1, 403, 407, 261, 378]);
    expect(tokenizer.encode(PROMPT, { addSpecialTokens: false })).toEqual([403, 407, 261, 378]);
    expect(tokenizer.decode([1, 403, 407, 261, 378])).toBe(PROMPT);
    expect([tokenizer.vocabSize, tokenizer.bosTokenId, tokenizer.eosTokenIds, tokenizer.padTokenId]).toEqual([
      ...[512, 1, [2], null],
    ]);
  });

  it('begins the sample of llama2.c from <s> alone', async () => {
    const tokenizer = await Tokenizer.fromFolder(folder('stories260k'));
    const [row] = await generate(await load(), [[1]], { maxNewTokens: 24 });
    expect(tokenizer.decode(row!)).toMatch(/^Once upon a time, there was a little girl named Lily\. She loved/);
  });

  it('ends its story with either end token, as generation_config.json says', async () => {
    const model = await load();
    expect(model.config.eosTokenIds).toEqual([1, 2]);
    const [row] = await generate(model, [[1, 403, 407, 261, 378]], { maxNewTokens: 500 });
    expect(row!.length).toBeLessThan(505);
    expect([1, 2]).toContain(row!.at(-1));
  });

  it('stays near itself in 4 bits', async () => {
    // Logits of this model reach 18. The bound is twice what was measured: 16 values a weight are coarse for 64 columns.
    const BOUND = 8;
    const tokens = ids([1, 403, 407, 261, 378]);
    const model = await load();
    const plain = await logitsOf(model, tokens);
    for (const doubleQuant of [false, true]) {
      const quantized = await load();
      await quantizeModel(quantized, { doubleQuant });
      const logits = await logitsOf(quantized, tokens);
      const difference = largestDifference(logits, plain);
      const scale = Math.max(...plain.map(Math.abs));
      console.log(
        `stories260k in NF4${doubleQuant ? ' with double quantization' : ''}: ` +
          `largest difference in logits ${difference.toFixed(3)}, logits up to ${scale.toFixed(1)}`,
      );
      expect(difference).toBeGreaterThan(0);
      expect(difference).toBeLessThan(BOUND);
      await dequantizeModel(quantized);
      const dequantized = largestDifference(await logitsOf(quantized, tokens), logits);
      expect(dequantized).toBeLessThan(1e-4); // the same weights, multiplied in another order
    }
  });
});

describe.skipIf(!hasSharedModels)(`tinystories-656k${given}`, () => {
  it('has its tied matrix under the name of the head alone', async () => {
    const model = await LlamaForCausalLM.fromPretrained(folder('tinystories-656k'));
    expect(model.lmHead.weight).toBe(model.model.embedTokens.weight);
  });
});

describe.skipIf(!hasSharedModels)(`babyllama-105${given}`, () => {
  it('is the same in memory as float16 as it is in the file', async () => {
    const [wide, half] = [
      await LlamaForCausalLM.fromPretrained(folder('babyllama-105')),
      await LlamaForCausalLM.fromPretrained(folder('babyllama-105'), { dtype: 'float16' }),
    ];
    expect(half.lmHead.weight.dtype).toBe('float16');
    expect(await half.lmHead.weight.data()).toEqual(await wide.lmHead.weight.data());
    const tokens = ids([1, 20, 30, 40]);
    // equal weights: only the order of sums may differ
    expect(largestDifference(await logitsOf(half, tokens), await logitsOf(wide, tokens))).toBeLessThan(1e-4);
  });
});

describe.skipIf(!hasSharedModels)(`gpt-nano-sort${given}`, () => {
  it('sorts each of the 729 lists of six letters', async () => {
    const model = await GPT2LMHeadModel.fromPretrained(folder('gpt-nano-sort'));
    const lists = Array.from({ length: 3 ** 6 }, (_, n) =>
      Array.from({ length: 6 }, (_, digit) => Math.floor(n / 3 ** digit) % 3),
    );
    const rows = await generate(model, lists, { maxNewTokens: 6, eosTokenIds: [] });
    expect(rows.map((row) => row.slice(6))).toEqual(lists.map((list) => list.toSorted()));
  });

  it('has the logits of its README', async () => {
    const model = await GPT2LMHeadModel.fromPretrained(folder('gpt-nano-sort'));
    const logits = await logitsOf(model, ids([2, 1, 0, 1, 0, 2]));
    expect(largestDifference(logits.slice(-3), [8.4186, -3.8446, -3.0911])).toBeLessThan(6e-5); // four digits are given
  });
});

describe.skipIf(!hasSharedModels)(`bart-g2p-en-us${given}`, () => {
  it('spells words as its README says', async () => {
    const model = await BartForConditionalGeneration.fromPretrained(folder('bart-g2p-en-us'));
    const { grapheme_chars: graphemes, phoneme_chars: phonemes } = model.config.raw as Record<string, string>;
    const words = ['hello', 'language', 'world'];
    const sources = words.map((word) => [1, ...Array.from(word, (letter) => graphemes!.indexOf(letter)), 2]);
    for (const options of [{}, { useCache: false }, { numBeams: 4 }, { numBeams: 4, useCache: false }]) {
      const rows = await generateFromEncoder(model, sources, { maxNewTokens: 20, ...options });
      const spelled = rows.map((row) => row.map((id) => (id > 3 ? phonemes![id] : '')).join(''));
      expect(spelled).toEqual(['hˈɛlO', 'lˈæŋɡwɪʤ', 'wˈɜɹld']);
    }
  });

  it('comes back from a folder as it was', async () => {
    const model = await BartForConditionalGeneration.fromPretrained(folder('bart-g2p-en-us'));
    await expectSameFromFolder(model, temporary('bart'), (each) =>
      each.forward({ inputIds: ids([1, 20, 30, 2]), decoderInputIds: ids([1, 1, 9]) }),
    );
  });
});
