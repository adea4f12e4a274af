// Trains the checkpoint that the demo starts from, demo/base, from nothing:
//
//   node --import tsx --conditions=@burin/source demo/src/pretrain.ts --steps 1800
//
// Reads the same mails and split as the demo. Prints the loss in nats and bits a byte.

import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { LlamaForCausalLM, tokenBatch } from '@burin/models';
import { clipGradNorm_ } from '@burin/norm';
import { AdamW, cosineSchedule, LearningRateScheduler } from '@burin/optim-paged';
import { Generator, scope } from '@burin/tensor';
import { ByteTokenizer } from '@burin/tokenizers';
import { loadMails } from './mails.js';
import { CONTEXT, SPLIT } from './settings.js';
import { PretrainingText } from './texts.js';

const { values } = parseArgs({
  options: {
    steps: { type: 'string', default: '1800' },
    rows: { type: 'string', default: '16' },
    out: { type: 'string', default: fileURLToPath(new URL('../base', import.meta.url)) },
  },
});
const steps = Number(values.steps);
const rows = Number(values.rows);

const rng = new Generator(2026);
const tokenizer = new ByteTokenizer();
const model = LlamaForCausalLM.create(
  {
    vocabSize: tokenizer.vocabSize,
    hiddenSize: 128,
    intermediateSize: 352,
    numHiddenLayers: 4,
    numAttentionHeads: 4,
    numKeyValueHeads: 2,
    maxPositionEmbeddings: 512,
    tieWordEmbeddings: true,
    padTokenId: tokenizer.padTokenId,
    bosTokenId: tokenizer.bosTokenId,
    eosTokenId: [...tokenizer.eosTokenIds],
  },
  { rng },
);
const optimizer = new AdamW(model.namedParameters(), { lr: 3e-3, betas: [0.9, 0.95], weightDecay: 0.1 });
const scheduler = new LearningRateScheduler(optimizer, cosineSchedule({ warmupSteps: 100, totalSteps: steps }));
const { train } = await loadMails(SPLIT);
const text = await PretrainingText.load(train, { length: CONTEXT, rng });

const started = performance.now();
let smoothed = Number.NaN;
for (let step = 1; step <= steps; step++) {
  const batch = await text.draw(rows, CONTEXT);
  const loss = scope(() => {
    const { loss } = model.forward(tokenBatch(batch, { vocabSize: tokenizer.vocabSize, labels: true }));
    loss!.backward();
    clipGradNorm_(model.parameters(), 1);
    return loss!.detach();
  });
  await optimizer.step();
  optimizer.zeroGrad();
  scheduler.step();
  const value = await loss.item();
  loss.dispose();
  smoothed = Number.isNaN(smoothed) ? value : 0.98 * smoothed + 0.02 * value;
  if (step % 20 === 0 || step === steps) report(step, smoothed);
  if (step % 400 === 0 && step < steps) await save();
}
await save();

async function save(): Promise<void> {
  const written = await model.savePretrained(values.out, { tokenizer, dtype: 'bfloat16', replace: true });
  console.log(written.map(({ path, byteLength }) => `wrote ${path}: ${byteLength} bytes`).join('\n'));
}

function report(step: number, loss: number): void {
  const seconds = (performance.now() - started) / 1000;
  const rate = (step * rows * CONTEXT) / seconds;
  const bits = loss / Math.LN2;
  console.log(
    `step ${step}/${steps}  loss ${loss.toFixed(3)} (${bits.toFixed(3)} bits a byte)  ${rate.toFixed(0)} tokens/s`,
  );
}
