import { Transformer } from '@burin/models';
import { Generator } from '@burin/tensor';
import { type Reporter, seq2seqCollator, Trainer, type TrainResult } from '@burin/trainer';
import type { Pair } from '../shared-files.js';
import type { Vocabulary } from './vocabulary.js';

const SEED = 1;
const BATCH = 32;

/** The Transformer of 2017, small, its norms moved in front: without that it needs far more steps. */
export function newModel(vocabulary: Vocabulary): Transformer {
  return Transformer.create(
    {
      srcVocab: vocabulary.size,
      tgtVocab: vocabulary.size,
      dModel: 128,
      nHeads: 4,
      nEncoderLayers: 3,
      nDecoderLayers: 3,
      dFf: 256,
      dropout: 0.1,
      normFirst: true,
      padTokenId: vocabulary.padTokenId,
      bosTokenId: vocabulary.startTokenId,
      eosTokenId: vocabulary.endTokenId,
    },
    { rng: new Generator(SEED) },
  );
}

/** One point of the curve. */
export interface CurvePoint {
  readonly step: number;
  /** Mean loss of the steps since the last point, label smoothing included. */
  readonly trainLoss: number;
  /** Of pairs that are not trained on, without label smoothing. */
  readonly validLoss: number;
  readonly seconds: number;
}

/** What a run came to. */
export interface Trained {
  readonly curve: readonly CurvePoint[];
  readonly result: TrainResult;
  readonly seconds: number;
}

/** What a run is given. */
export interface TrainingData {
  readonly train: readonly Pair[];
  readonly valid: readonly Pair[];
  /** Optimizer steps. */
  readonly steps: number;
  /** False: says nothing. */
  readonly reporter?: Reporter | false;
}

/** Trains from nothing: label smoothing, a warm-up and then linearly down, batches of like length. */
export async function train(model: Transformer, vocabulary: Vocabulary, data: TrainingData): Promise<Trained> {
  const started = performance.now();
  const elapsed = () => (performance.now() - started) / 1000;
  const curve: CurvePoint[] = [];
  let trainLoss = 0;
  const trainer = new Trainer({
    model,
    trainDataset: data.train.map((pair) => vocabulary.exampleOf(pair)),
    evalDataset: data.valid.map((pair) => vocabulary.exampleOf(pair)),
    collator: seq2seqCollator({ vocabSize: vocabulary.size, padTokenId: vocabulary.padTokenId }),
    args: {
      maxSteps: data.steps,
      perDeviceTrainBatchSize: BATCH,
      perDeviceEvalBatchSize: 4 * BATCH,
      learningRate: 3e-3,
      adamBeta2: 0.98,
      lrSchedulerType: 'linear',
      warmupRatio: 0.1,
      labelSmoothingFactor: 0.1,
      groupByLength: true,
      loggingSteps: Math.ceil(data.steps / 10),
      evalStrategy: 'steps',
      seed: SEED,
    },
    ...(data.reporter !== undefined && { reporter: data.reporter }),
    callbacks: [
      {
        onLog: ({ logs: { loss, step, evalLoss } }) => {
          if (loss !== undefined) trainLoss = loss;
          if (evalLoss !== undefined) curve.push({ step, trainLoss, validLoss: evalLoss, seconds: elapsed() });
        },
      },
    ],
  });
  const result = await trainer.train();
  return { curve, result, seconds: elapsed() };
}
