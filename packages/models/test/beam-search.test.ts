import { generate, type LlamaForCausalLM } from '@burin/models';
import { describe, expect, it } from 'vitest';
import { ids, logitsOf, tinyLlama } from './support.js';

/** So few tokens that every text can be written down. */
const VOCAB = 4;
const END = 3;
const LONGEST = 4;
const PROMPT = [1, 2];
const model = tinyLlama({ vocabSize: VOCAB }, 11);

interface Scored {
  text: number[];
  score: number;
}

/** Every text that goes on from the prompt, with its log probability: each ends with END or has LONGEST tokens. */
async function everyText(of: LlamaForCausalLM, text: number[] = [], score = 0): Promise<Scored[]> {
  if (text.at(-1) === END || text.length === LONGEST) return [{ text, score }];
  const logits = Array.from((await logitsOf(of, ids([...PROMPT, ...text]))).slice(-VOCAB));
  const norm = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit), 0));
  const next = await Promise.all(logits.map((logit, token) => everyText(of, [...text, token], score + logit - norm)));
  return next.flat();
}

const options = { maxNewTokens: LONGEST, eosTokenIds: [END] };

describe('beam search', () => {
  it.each([0, 1, 2, -1])(
    'with a beam for every text finds the best of all, lengthPenalty %f',
    async (lengthPenalty) => {
      const all = (await everyText(model)).map(({ text, score }) => ({
        text,
        score: score / text.length ** lengthPenalty,
      }));
      const best = all.toSorted((a, b) => b.score - a.score).map(({ text }) => [...PROMPT, ...text]);
      const beams = { numBeams: VOCAB ** LONGEST, lengthPenalty, earlyStopping: 'never' as const };
      const found = await generate(model, [PROMPT], { ...options, ...beams, numReturnSequences: 20 });
      expect(found).toEqual(best.slice(0, 20));
    },
  );

  it('never finds a worse text than the likeliest tokens one by one, where length does not count', async () => {
    const scores = new Map((await everyText(model)).map(({ text, score }) => [`${[...PROMPT, ...text]}`, score]));
    const scoreOf = async (numBeams: number) => {
      const [row] = await generate(model, [PROMPT], { ...options, numBeams, lengthPenalty: 0, earlyStopping: 'never' });
      return scores.get(`${row}`)!;
    };
    const [greedy, ...wider] = await Promise.all([1, 2, 4, 8, 64].map(scoreOf));
    for (const score of wider) expect(score).toBeGreaterThanOrEqual(greedy!);
    expect(Math.max(...scores.values())).toBe(wider.at(-1));
  });

  it('gives the best texts first, each once', async () => {
    const rows = await generate(model, [PROMPT, [0]], { ...options, numBeams: 5, numReturnSequences: 5 });
    expect(rows.length).toBe(10);
    expect(new Set(rows.map(String)).size).toBe(10);
    expect(rows.slice(0, 5).every((row) => `${row.slice(0, 2)}` === `${PROMPT}`)).toBe(true);
    expect(await generate(model, [PROMPT, [0]], { ...options, numBeams: 5 })).toEqual([rows[0], rows[5]]);
  });

  it('ends a text at a stop string', async () => {
    const tokenizer = { decode: (tokens: readonly number[]) => tokens.map((token) => 'abcd'[token]).join('') };
    const every = await generate(model, [PROMPT], { ...options, eosTokenIds: [], numBeams: 6, numReturnSequences: 6 });
    const stopped = await generate(model, [PROMPT], {
      ...{ ...options, eosTokenIds: [], numBeams: 6, numReturnSequences: 6, tokenizer, stopStrings: ['ab', 'c'] },
    });
    expect(stopped).not.toEqual(every);
    for (const row of stopped) {
      const text = tokenizer.decode(row.slice(2));
      expect(text).toMatch(/^(?!.*(ab|c).)/); // nothing comes after one
      expect(text.length === LONGEST || /(ab|c)$/.test(text)).toBe(true);
    }
  });

  it('says what does not go together', async () => {
    const beams = (more: object) => generate(model, [PROMPT], { ...options, numBeams: 2, ...more });
    await expect(beams({ doSample: true, seed: 1 })).rejects.toThrow(
      'generate: beam search does not sample: expected doSample: false or numBeams: 1, got 2',
    );
    await expect(beams({ onToken: () => {} })).rejects.toThrow(
      'generate: beam search knows its tokens at the end only: leave out onToken, or use numBeams: 1',
    );
    await expect(beams({ numReturnSequences: 3 })).rejects.toThrow(
      'numReturnSequences must be at most the number of beams where nothing is sampled: expected at most 2, got 3',
    );
    await expect(beams({ numBeams: 0 })).rejects.toThrow(
      'generate: numBeams must be a whole number of 1 or more, got 0',
    );
    await expect(beams({ lengthPenalty: Number.NaN })).rejects.toThrow(
      'lengthPenalty must be a finite number, got NaN',
    );
    await expect(beams({ maxNewTokens: 1, eosTokenIds: [], numBeams: 9, numReturnSequences: 9 })).rejects.toThrow(
      'generate: beam search found only 4 texts that go on from row 0',
    );
  });

  it('gives the prompt back where no token is wanted', async () => {
    expect(await generate(model, [PROMPT], { numBeams: 2, maxNewTokens: 0 })).toEqual([PROMPT]);
  });
});
