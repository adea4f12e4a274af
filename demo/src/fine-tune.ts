import { applyLora, type LoraModel, trainableParameters } from '@burin/lora';
import { LlamaForCausalLM, LlamaForSequenceClassification, labelTensor, tokenBatch } from '@burin/models';
import { AdamW, type PagingStatistics } from '@burin/optim-paged';
import { quantizeModel } from '@burin/quant-nf4';
import { defaultDevice, Generator, scope } from '@burin/tensor';
import type { TextTokenizer } from '@burin/tokenizers';
import {
  classificationCollator,
  decayGroups,
  type Example,
  type MemoryReport,
  type Metrics,
  Trainer,
  type TrainResult,
} from '@burin/trainer';
import type { Scores } from './baselines.js';

/** One way to fine-tune. */
export interface Method {
  name: string;
  quantize: boolean; // hold the base in NF4 with double quantization
  lora: boolean; // train an adapter; otherwise everything
  learningRate: number;
  paged: boolean; // under a device budget that does not hold the whole optimizer state
}

export const METHODS: readonly Method[] = [
  { name: 'LoRA on the 4-bit base', quantize: true, lora: true, learningRate: 3e-3, paged: true },
  { name: 'LoRA on the float base', quantize: false, lora: true, learningRate: 3e-3, paged: false },
  { name: 'full fine-tuning', quantize: false, lora: false, learningRate: 1e-3, paged: false },
];

/** What every method is given. */
export interface Task {
  base: string;
  tokenizer: TextTokenizer;
  train: Example[];
  test: Example[];
  batchSize: number;
}

/** What one method came to. */
export interface FineTuned {
  method: Method;
  model: LlamaForSequenceClassification;
  lora: LoraModel<LlamaForSequenceClassification> | null;
  scores: Scores;
  curve: { step: number; loss: number }[];
  seconds: number;
  peakBytes: number; // most device memory held at once
  memory: MemoryReport;
  paging: PagingStatistics;
  budgetBytes: number;
  trained: ReturnType<typeof trainableParameters>;
}

const RANK = 8;
const SEED = 11;

/** The base with a new head, quantized and adapted as the method says. */
export async function prepare(method: Method, task: Task) {
  const rng = new Generator(SEED);
  const causal = await LlamaForCausalLM.fromPretrained(task.base);
  const model = LlamaForSequenceClassification.fromCausal(causal, { numLabels: 2, rng });
  if (!causal.config.tieWordEmbeddings) causal.lmHead.dispose();
  const quantized = method.quantize ? await quantizeModel(model, { type: 'nf4', doubleQuant: true }) : null;
  const lora = method.lora ? applyLora(model, { rank: RANK, alpha: 2 * RANK, taskType: 'SEQ_CLS', rng }) : null;
  return { model, lora, quantized };
}

/** Fine-tunes and measures one method. */
export async function fineTune(
  method: Method,
  task: Task,
  { model, lora }: Awaited<ReturnType<typeof prepare>>,
): Promise<FineTuned> {
  const { memory: device } = defaultDevice();
  const { decayed, notDecayed } = decayGroups(model);
  const groups = [
    { params: decayed, weightDecay: 0.01 },
    { params: notDecayed, weightDecay: 0 },
  ].filter(({ params }) => params.length > 0);
  const optimizer = new AdamW(groups, { lr: method.learningRate, pageBytes: PAGE_BYTES });
  const budgetBytes = method.paged ? tightBudget(model, task) : Number.POSITIVE_INFINITY;
  const curve: { step: number; loss: number }[] = [];
  const steps = Math.ceil(task.train.length / task.batchSize);
  const trainer = new Trainer({
    model,
    optimizer,
    trainDataset: task.train,
    evalDataset: task.test,
    collator: collatorOf(task),
    args: {
      numTrainEpochs: 1,
      perDeviceTrainBatchSize: task.batchSize,
      perDeviceEvalBatchSize: 2 * task.batchSize,
      learningRate: method.learningRate,
      lrSchedulerType: 'linear',
      warmupRatio: 0.1,
      loggingSteps: steps < FEW_STEPS ? 1 : 20,
      seed: SEED,
    },
    callbacks: [
      { onLog: ({ logs }) => void (logs.loss !== undefined && curve.push({ step: logs.step, loss: logs.loss })) },
    ],
  });
  device.resetPeak();
  device.budget = budgetBytes;
  const started = performance.now();
  let result: TrainResult;
  try {
    result = await trainer.train();
  } finally {
    device.budget = Number.POSITIVE_INFINITY;
  }
  const seconds = (performance.now() - started) / 1000;
  const { peakBytes } = device;
  const scores = toScores(await trainer.evaluate());
  const paging = { ...optimizer.paging };
  optimizer.dispose();
  const trained = trainableParameters(model);
  return {
    method,
    model,
    lora,
    scores,
    curve,
    seconds,
    peakBytes,
    memory: result.memory,
    paging,
    budgetBytes,
    trained,
  };
}

const PAGE_BYTES = 64 * 1024;

/** Of so short a run every step is logged. */
const FEW_STEPS = 100;

/** The base with a new head that has learned nothing. */
export async function scoreUntrained(task: Task): Promise<Scores> {
  const { model } = await prepare({ ...METHODS[2]! }, task);
  const collator = collatorOf(task);
  const args = { perDeviceEvalBatchSize: 2 * task.batchSize };
  const scores = toScores(
    await new Trainer({ model, evalDataset: task.test, collator, args, reporter: false }).evaluate(),
  );
  model.dispose();
  return scores;
}

function toScores({ evalAccuracy, evalF1 }: Metrics): Scores {
  return { accuracy: evalAccuracy!, f1: evalF1! };
}

function collatorOf({ tokenizer }: Task) {
  return classificationCollator({ padTokenId: tokenizer.padTokenId ?? 0 });
}

/**
 * What a forward and backward pass over the largest batch needs and no more: while it runs there is no room for the
 * optimizer's state, which has to move out, and comes back for the update.
 */
function tightBudget(model: LlamaForSequenceClassification, task: Task): number {
  const { memory } = defaultDevice();
  const longest = [...task.train].sort((a, b) => b.inputIds.length - a.inputIds.length).slice(0, task.batchSize);
  memory.resetPeak();
  scope(() => {
    const rows = longest.map(({ inputIds }) => Array.from(inputIds));
    const batch = tokenBatch(rows, { vocabSize: model.config.vocabSize });
    const labels = labelTensor(
      rows.map(() => 0),
      2,
    );
    model
      .train()
      .forward({ ...batch, labels })
      .loss!.backward();
  });
  model.zeroGrad();
  return memory.peakBytes + 2 * PAGE_BYTES;
}
