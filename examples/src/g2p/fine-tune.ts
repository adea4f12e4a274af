import { applyLora, type LoraModel } from '@burin/lora';
import { type BartForConditionalGeneration, generateFromEncoder, type Seq2SeqModel } from '@burin/models';
import { Generator } from '@burin/tensor';
import { type Example, seq2seqCollator, Trainer, type TrainResult } from '@burin/trainer';
import type { Pair } from '../shared-files.js';
import type { Alphabet } from './alphabet.js';

const SEED = 7;
const BATCH = 64;

/** What a run came to. */
export interface FineTuned {
  readonly lora: LoraModel<BartForConditionalGeneration>;
  readonly curve: readonly { readonly step: number; readonly loss: number }[];
  readonly result: TrainResult;
  readonly seconds: number;
}

/** Trains a LoRA adapter of rank 16 on every attention and feed-forward matrix, in one pass over `pairs`. */
export async function fineTune(
  model: BartForConditionalGeneration,
  alphabet: Alphabet,
  pairs: readonly Pair[],
): Promise<FineTuned> {
  const lora = applyLora(model, { rank: 16, alpha: 32, taskType: 'SEQ_2_SEQ_LM', rng: new Generator(SEED) });
  const curve: { step: number; loss: number }[] = [];
  const { vocabSize, padTokenId } = model.config;
  const trainer = new Trainer({
    model,
    trainDataset: pairs.map((pair) => exampleOf(alphabet, pair)),
    collator: seq2seqCollator({ vocabSize, padTokenId }),
    args: {
      numTrainEpochs: 1,
      perDeviceTrainBatchSize: BATCH,
      learningRate: 3e-3,
      lrSchedulerType: 'linear',
      warmupRatio: 0.05,
      groupByLength: true,
      loggingSteps: 40,
      seed: SEED,
    },
    callbacks: [
      { onLog: ({ logs }) => void (logs.loss !== undefined && curve.push({ step: logs.step, loss: logs.loss })) },
    ],
  });
  const started = performance.now();
  const result = await trainer.train();
  return { lora, curve, result, seconds: (performance.now() - started) / 1000 };
}

function exampleOf(alphabet: Alphabet, { source, target }: Pair): Example {
  return { inputIds: alphabet.encodeWord(source), labels: alphabet.encodePhonemes(target) };
}

/** The phonemes that the model says to each word, greedily. */
export async function spell(model: Seq2SeqModel, alphabet: Alphabet, words: readonly string[]): Promise<string[]> {
  const said: string[] = [];
  for (let start = 0; start < words.length; start += 2 * BATCH) {
    const sources = words.slice(start, start + 2 * BATCH).map((word) => alphabet.encodeWord(word));
    const rows = await generateFromEncoder(model, sources, { maxNewTokens: LONGEST });
    said.push(...rows.map((ids) => alphabet.decodePhonemes(ids)));
  }
  return said;
}

const LONGEST = 48;
