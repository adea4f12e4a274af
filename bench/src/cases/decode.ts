import { generate, type LlamaForCausalLM } from '@burin/models';
import { quantizeModel } from '@burin/quant-nf4';
import type { Case, Prepared } from '../case.js';
import { LARGE, llama, SMALL, tokens } from './llama.js';

const PROMPT = 64;

/** Tokens one after the other, batch 1, greedy, with the cache; the prompt is part of the time, as it is for people. */
function decode(name: string, size: typeof SMALL, weights: 'float32' | 'nf4', count: number): Case {
  return {
    name: `${name}/${weights}`,
    shape: `${count} after ${PROMPT}`,
    work: { tokens: count },
    async prepare(): Promise<Prepared> {
      const model = llama(size);
      if (weights === 'nf4') await quantizeModel(model, { doubleQuant: true, skipModules: [] });
      const prompt = [...tokens(PROMPT)];
      return {
        run: () => generate(model, [prompt], { maxNewTokens: count, eosTokenIds: [] }),
        check: () => checkCache(model, prompt),
        dispose: () => model.dispose(),
      };
    },
  };
}

/** Without the cache the same tokens must come. */
async function checkCache(model: LlamaForCausalLM, prompt: readonly number[]): Promise<void> {
  const options = { maxNewTokens: 4, eosTokenIds: [] };
  const [cached] = await generate(model, [prompt], options);
  const [plain] = await generate(model, [prompt], { ...options, useCache: false });
  if (`${cached}` !== `${plain}`)
    throw new Error(`with the cache came ${cached!.slice(-4)}, without ${plain!.slice(-4)}`);
}

export const decodeCases: readonly Case[] = [
  decode('decode', SMALL, 'float32', 256),
  decode('decode', SMALL, 'nf4', 256),
  decode('decode-large', LARGE, 'float32', 256),
  decode('decode-large', LARGE, 'nf4', 256),
];
