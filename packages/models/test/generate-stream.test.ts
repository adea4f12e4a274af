import { join } from 'node:path';
import {
  ByteTokenizer,
  type GenerateOptions,
  generate,
  generateStream,
  LlamaForCausalLM,
  type StreamedToken,
  Tokenizer,
} from '@burin/models';
import { cpu } from '@burin/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ScriptedModel } from './scripted-model.js';
import { hasSharedModels, SHARED_MODELS, tinyLlama } from './support.js';

const bytes = new ByteTokenizer();
const { vocabSize } = bytes;
const END = bytes.eosTokenIds[0]!;
const spelled = (text: string) => bytes.encode(text, { addSpecialTokens: false });

async function collect(stream: AsyncIterable<StreamedToken>): Promise<StreamedToken[]> {
  const all: StreamedToken[] = [];
  for await (const each of stream) all.push(each);
  return all;
}

/** What comes of a model that says the bytes of a text. */
function stream(script: readonly number[], options: GenerateOptions = {}, prompt: readonly number[] = [1]) {
  const model = new ScriptedModel(script, { vocabSize, promptLength: prompt.length });
  const all = { maxNewTokens: script.length, eosTokenIds: [END], tokenizer: bytes, ...options };
  return collect(generateStream(model, prompt, all));
}

const textOf = (tokens: readonly StreamedToken[]) => tokens.map(({ text }) => text).join('');

describe('generateStream', () => {
  it('gives each token with the text that it completes', async () => {
    expect(await stream([...spelled('aé'), END])).toEqual([
      { token: 100, text: 'a', finishReason: null },
      { token: 198, text: '', finishReason: null }, // the first byte of two
      { token: 172, text: 'é', finishReason: null },
      { token: END, text: '', finishReason: 'eos' },
    ]);
  });

  it('gives any text back, whatever its characters, in whole ones', async () => {
    const words = fc.string({ unit: 'binary', minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(words, async (text) => {
        const tokens = await stream(spelled(text));
        expect(textOf(tokens)).toBe(text);
        if (text.includes('\uFFFD')) return;
        for (const each of tokens.slice(0, -1)) expect(each.text).not.toContain('\uFFFD');
      }),
      { numRuns: 60, seed: 1 },
    );
  });

  it('gives what is no character at the end, or once more follows', async () => {
    const [first, second] = spelled('é');
    expect(textOf(await stream([first!]))).toBe('\uFFFD');
    expect((await stream([first!, ...spelled('a')])).map(({ text }) => text)).toEqual(['', '\uFFFDa']);
    // the prompt ends in the middle of a character
    expect(textOf(await stream([second!], {}, [1, first!]))).toBe('é');
  });

  it('ends at a stop string, wherever tokens part it, and holds back what may become one', async () => {
    const script = spelled('one two. three.');
    const tokens = await stream(script, { stopStrings: ['two.', 'three'] });
    expect(tokens.map(({ text }) => text)).toEqual(['o', 'n', 'e', ' ', '', '', '', '']);
    expect(tokens.at(-1)!.finishReason).toBe('stop');
    const near = await stream(spelled('two, then ttwo. and'), { stopStrings: ['two.'] });
    expect(near.map(({ text }) => text).slice(0, 5)).toEqual(['', '', '', 'two,', ' ']);
    expect(textOf(near)).toBe('two, then t');
  });

  it('ends at the first of several that one token completes', async () => {
    const words = ['', 'so it ', 'ends here, then stops.'];
    const tokenizer = { decode: (ids: readonly number[]) => ids.map((id) => words[id]).join('') };
    const model = new ScriptedModel([1, 2], { vocabSize: 3 });
    const tokens = await collect(
      generateStream(model, [0], { maxNewTokens: 2, tokenizer, stopStrings: ['stop', 'here'] }),
    );
    expect(tokens.map(({ text }) => text)).toEqual(['so it ', 'ends ']);
  });

  it('lets go of what it held back where no stop string comes of it', async () => {
    for (const options of [{}, { maxNewTokens: 5 }]) {
      const tokens = await stream([...spelled('so tw'), END], { ...options, stopStrings: ['two'] });
      expect(textOf(tokens)).toBe('so tw');
      expect(tokens.at(-1)!.finishReason).toBe('maxNewTokens' in options ? 'length' : 'eos');
    }
  });

  it('does not look for stop strings in the prompt', async () => {
    const tokens = await stream(spelled('p and stop'), { stopStrings: ['stop'] }, spelled('sto'));
    expect(textOf(tokens)).toBe('p and ');
  });

  it('says the same as generate, which keeps the tokens of the stop string', async () => {
    const model = tinyLlama({ vocabSize });
    const options = { maxNewTokens: 30, eosTokenIds: [], tokenizer: bytes };
    const [row] = await generate(model, [[5, 6]], options);
    const tokens = await collect(generateStream(model, [5, 6], options));
    expect(tokens.map(({ token }) => token)).toEqual(row!.slice(2));
    const script = spelled('what a day. it');
    const stopping = { stopStrings: ['day.'], tokenizer: bytes, maxNewTokens: 14 };
    const [stopped] = await generate(new ScriptedModel(script, { vocabSize }), [[1]], stopping);
    expect(bytes.decode(stopped!)).toBe('what a day.');
  });

  it('frees everything when the loop is left, and computes no more', async () => {
    const model = tinyLlama({ vocabSize }).train();
    await generate(model, [[1]], { maxNewTokens: 2 }); // the rotary tables stay
    const before = cpu().memory.liveBuffers;
    for await (const { token } of generateStream(model, [5], { maxNewTokens: 30, tokenizer: bytes, eosTokenIds: [] })) {
      expect(token).toBeLessThan(vocabSize);
      expect(model.training).toBe(false);
      break;
    }
    expect(cpu().memory.liveBuffers).toBe(before);
    expect(model.training).toBe(true);
    const scripted = new ScriptedModel(spelled('abc'), { vocabSize });
    for await (const _ of generateStream(scripted, [1], { maxNewTokens: 3, tokenizer: bytes })) break;
    expect(scripted.steps).toBe(1);
  });

  it('ends with the reason of a signal, and frees everything', async () => {
    const model = tinyLlama({ vocabSize });
    await generate(model, [[1]], { maxNewTokens: 2 });
    const before = cpu().memory.liveBuffers;
    const controller = new AbortController();
    const options = { maxNewTokens: 30, eosTokenIds: [], signal: controller.signal };
    let seen = 0;
    const run = async () => {
      for await (const _ of generateStream(model, [5], { ...options, tokenizer: bytes })) {
        if (++seen === 3) controller.abort(new Error('enough'));
      }
    };
    await expect(run()).rejects.toThrow('enough');
    expect(seen).toBe(3);
    await expect(generate(model, [[5]], options)).rejects.toThrow('enough');
    await expect(generate(model, [[5]], { ...options, numBeams: 2 })).rejects.toThrow('enough');
    expect(cpu().memory.liveBuffers).toBe(before);
  });

  it('has one stream', async () => {
    const model = new ScriptedModel([1], { vocabSize });
    const start = (options: GenerateOptions) => collect(generateStream(model, [1], { tokenizer: bytes, ...options }));
    await expect(start({ numBeams: 2 })).rejects.toThrow(
      'generateStream: numBeams must be 1, as there is one stream, got 2',
    );
    await expect(start({ doSample: true, seed: 1, numReturnSequences: 2 })).rejects.toThrow(
      'generateStream: numReturnSequences must be 1, as there is one stream, got 2',
    );
  });
});

describe('stop strings', () => {
  it('need a tokenizer, and some text', async () => {
    const model = new ScriptedModel([1], { vocabSize });
    await expect(generate(model, [[1]], { stopStrings: ['a'] })).rejects.toThrow(
      'generate: stopStrings need what makes text of ids: expected tokenizer, got none',
    );
    await expect(generate(model, [[1]], { stopStrings: [''], tokenizer: bytes })).rejects.toThrow(
      'generate: a stop string must not be empty',
    );
  });
});

describe.skipIf(!hasSharedModels)('stories260k', () => {
  it('streams the text that its tokens decode to, spaces too', async () => {
    const folder = join(SHARED_MODELS, 'stories260k');
    const [model, tokenizer] = [await LlamaForCausalLM.fromPretrained(folder), await Tokenizer.fromFolder(folder)];
    const prompt = tokenizer.encode('Once upon a time');
    const options = { maxNewTokens: 120, tokenizer };
    const tokens = await collect(generateStream(model, prompt, options));
    const whole = tokenizer.decode([...prompt, ...tokens.map(({ token }) => token)]);
    expect(`Once upon a time${textOf(tokens)}`).toBe(whole);
    const stopped = await collect(generateStream(model, prompt, { ...options, stopStrings: ['Lily'] }));
    expect(textOf(stopped)).toBe(', there was a little girl named ');
  });
});
