import { BartForConditionalGeneration, type GenerateOptions, generate, type RawConfig } from '@burin/models';
import { describe, expect, it } from 'vitest';
import { rng, tinyLlama } from './support.js';

const PROMPT = [1, 5, 9, 2];

/** A model whose folder had this generation_config.json. */
function withConfig(config: RawConfig | null, options: object = {}) {
  const model = tinyLlama(options);
  model.generationConfig = config;
  return model;
}

const said = (config: RawConfig | null, options: GenerateOptions = {}) =>
  generate(withConfig(config), [PROMPT], options);

describe('generation_config.json', () => {
  const greedy = () => said(null, { maxNewTokens: 12, eosTokenIds: [] });

  it.each<[key: string, value: unknown, options: GenerateOptions]>([
    ['repetition_penalty', 1.9, { repetitionPenalty: 1.9 }],
    ['no_repeat_ngram_size', 1, { noRepeatNgramSize: 1 }],
    ['suppress_tokens', [3, 4, 5, 30, 31, 33], { suppressTokens: [3, 4, 5, 30, 31, 33] }],
    ['num_beams', 4, { numBeams: 4 }],
    ['forced_eos_token_id', 8, { forcedEosTokenId: 8 }],
    ['min_new_tokens', 3, { minNewTokens: 3 }],
  ])('%s is what its option is', async (key, value, options) => {
    const rest = { maxNewTokens: 12, eosTokenIds: [7, 13] };
    expect(await said({ [key]: value }, rest)).toEqual(await said(null, { ...rest, ...options }));
  });

  it('decides where an option is left out, and gives way where it is there', async () => {
    const plain = await greedy();
    const config = {
      num_beams: 4,
      repetition_penalty: 1.9,
      no_repeat_ngram_size: 1,
      max_new_tokens: 12,
      eos_token_id: [],
    };
    expect(await said(config)).not.toEqual(plain);
    expect(await said(config, { numBeams: 1, repetitionPenalty: null, noRepeatNgramSize: null })).toEqual(plain);
    expect(await said({ eos_token_id: plain[0]![6] }, { maxNewTokens: 12 })).toEqual([
      plain[0]!.slice(0, plain[0]!.indexOf(plain[0]![6]!, 4) + 1),
    ]);
  });

  it('says how long texts are, by whole texts or by what is added', async () => {
    const none = { eosTokenIds: [] };
    expect((await said({ max_length: 9 }, none))[0]!.length).toBe(9);
    expect((await said({ max_new_tokens: 9, max_length: 7 }, none))[0]!.length).toBe(13);
    expect((await said({ max_new_tokens: 9 }, { ...none, maxLength: 6 }))[0]!.length).toBe(6);
    expect((await said({ max_length: 9 }, { ...none, maxNewTokens: 2 }))[0]!.length).toBe(6);
    expect((await said(null, none))[0]!.length).toBe(24); // 20 more
    const long = Array.from({ length: 60 }, () => 5);
    expect((await generate(tinyLlama(), [long], none))[0]!.length).toBe(65); // the last one is not read
    await expect(said({ max_length: 4 })).rejects.toThrow(
      'generate: a prompt must be shorter than maxLength 4, got 4 tokens',
    );
    await expect(said(null, { maxLength: -1 })).rejects.toThrow(
      'maxLength must be a whole number of 0 or more, got -1',
    );
  });

  it('says so where it wants random numbers that were not given', async () => {
    await expect(said({ do_sample: true, temperature: 0.6, top_p: 0.9 })).rejects.toThrow(
      'generate: sampling needs random numbers: expected seed: 42 or rng: new Generator(42), got neither',
    );
    const drawn = { do_sample: true, temperature: 0.6, top_k: 0, top_p: 0.9 };
    expect(await said(drawn, { seed: 3 })).toEqual(
      await said(null, { doSample: true, temperature: 0.6, topP: 0.9, seed: 3 }),
    );
  });

  it('may hold a temperature of 0, which is refused where something is drawn', async () => {
    expect(await said({ temperature: 0, top_p: 0 })).toEqual(await said(null));
    await expect(said({ do_sample: true, temperature: 0 }, { seed: 3 })).rejects.toThrow(
      'temperature: must be greater than 0, got 0; for the likeliest token use doSample: false',
    );
    await expect(said({ temperature: -1 })).rejects.toThrow('temperature must be a number of 0 or more, got -1');
  });

  it.each<[key: string, value: unknown, neutral: unknown]>([
    ['guidance_scale', 1.5, 1],
    ['typical_p', 0.9, 1],
    ['encoder_no_repeat_ngram_size', 3, 0],
    ['penalty_alpha', 0.6, 0],
    ['num_beam_groups', 2, 1],
    ['watermarking_config', {}, null],
    ['max_time', 3, null],
  ])('%s is refused by its name where it would change the text', async (key, value, neutral) => {
    await expect(said({ [key]: value })).rejects.toThrow(`generation_config.json: ${key} = `);
    await expect(said({ [key]: value })).rejects.toThrow('is not supported, and without it the numbers would differ');
    expect(await said({ [key]: neutral })).toEqual(await said(null));
  });

  it('is checked', async () => {
    await expect(said({ num_beams: 'four' })).rejects.toThrow(
      'generation_config.json: num_beams must be a whole number from 0 to 2147483647, got "four"',
    );
    await expect(said({ early_stopping: 1 })).rejects.toThrow("early_stopping must be true, false or 'never', got 1");
    await expect(said({ bad_words_ids: [3] })).rejects.toThrow('bad_words_ids must be a list of lists of token ids');
    await expect(said({ length_penalty: '1' })).rejects.toThrow('length_penalty must be a finite number, got "1"');
    await expect(said({ stop_strings: [1] })).rejects.toThrow('stop_strings must be a string or a list of them');
  });

  it('may be in config.json, as it once was', async () => {
    const options = { maxNewTokens: 12, eosTokenIds: [] };
    const model = tinyLlama({ repetitionPenalty: 1.9 } as object);
    expect(await generate(model, [PROMPT], options)).toEqual(await said({ repetition_penalty: 1.9 }, options));
  });
});

describe('an encoder-decoder', () => {
  const BART = {
    ...{ vocabSize: 37, dModel: 24, encoderLayers: 1, decoderLayers: 1, encoderAttentionHeads: 4, initStd: 0.3 },
    ...{ decoderAttentionHeads: 4, encoderFfnDim: 20, decoderFfnDim: 28, maxPositionEmbeddings: 20 },
  };
  const make = (options: object = {}) => BartForConditionalGeneration.create({ ...BART, ...options }, { rng: rng(3) });
  const options = { maxNewTokens: 6, eosTokenIds: [] };

  it('begins and ends as its files say', async () => {
    const model = make({ forcedBosTokenId: 9, decoderStartTokenId: 4 });
    const [row] = await generate(model, [[5, 6]], options);
    expect([row!.slice(0, 2), row!.at(-1), row!.length]).toEqual([[4, 9], 2, 7]); // BART's own end, at full length
    const [free] = await generate(model, [[5, 6]], { ...options, forcedBosTokenId: null, forcedEosTokenId: null });
    expect(free!.slice(0, 2)).not.toEqual([4, 9]);
    model.generationConfig = { decoder_start_token_id: 7, forced_bos_token_id: 8, forced_eos_token_id: [11] };
    const [other] = await generate(model, [[5, 6]], options);
    expect([other!.slice(0, 2), other!.at(-1)]).toEqual([[7, 8], 11]);
  });

  it('draws rows that do not depend on the rows beside them', async () => {
    const [model, drawn] = [make(), { ...options, doSample: true, numReturnSequences: 3 }];
    const batch = await generate(model, [[5, 6], [7, 8, 9, 10], [3]], { ...drawn, seed: [1, 2, 3] });
    expect(new Set(batch.map(String)).size).toBe(9);
    expect(await generate(model, [[7, 8, 9, 10]], { ...drawn, seed: [2] })).toEqual(batch.slice(3, 6));
  });
});
