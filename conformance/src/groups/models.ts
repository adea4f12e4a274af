import {
  type AnyModel,
  type CausalModel,
  ConfigError,
  fromPretrained,
  generate,
  type ModelOutput,
  type Seq2SeqModel,
  type Seq2SeqOutput,
  tokenBatch,
} from '@burin/models';
import { noGrad, type Tensor } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import { gradients, type Outcome, read } from '../outcome.js';
import { smallestGap } from './smallest-gap.js';
import { answer, transformer } from './transformer.js';

/** Whole models, loaded from their Hugging Face folder: config.json alone says what they are. */
export async function models(c: Case): Promise<Outcome> {
  if (c.has('src')) return transformer(c);
  const model = await load(c);
  try {
    const results = await read(() => forwardAndBackward(c, model));
    const { loss, ...tensors } = maskPadding(c, model, results);
    const values = loss && { loss: loss.data[0]! };
    const generated = await generations(c, model);
    return { tensors: { ...tensors, ...generated.tensors }, values: { ...values, ...generated.values } };
  } finally {
    model.zeroGrad();
    model.dispose();
  }
}

function generations(c: Case, model: AnyModel): Promise<Outcome> | Outcome {
  if (isSeq2Seq(model)) return answers(c, model);
  return isCausal(model) ? continuations(c, model) : {};
}

async function load(c: Case): Promise<AnyModel> {
  try {
    return await fromPretrained(c.folder);
  } catch (error) {
    if (error instanceof ConfigError)
      throw new Unsupported(error.message.replace(`${c.folder}/`, ''), { cause: error });
    throw error;
  }
}

function isCausal(model: AnyModel): model is AnyModel & CausalModel {
  return /(CausalLM|LMHeadModel)$/.test(model.architecture);
}

function isSeq2Seq(model: AnyModel): model is AnyModel & Seq2SeqModel {
  return 'encode' in model;
}

function forwardAndBackward(c: Case, model: AnyModel) {
  const given = (name: string) => (c.has(name) ? c.tensor(name) : null);
  const input = {
    inputIds: given('input_ids'),
    pixelValues: given('pixel_values'),
    attentionMask: c.has('attention_mask') ? c.mask('attention_mask') : null,
    tokenTypeIds: given('token_type_ids'),
    labels: given('labels'),
    outputHiddenStates: true,
  };
  const forward = model.forward.bind(model) as (given: typeof input) => Partial<Seq2SeqOutput> & ModelOutput;
  const { logits, loss, hiddenStates, encoderHiddenStates } = forward(input);
  loss?.backward();
  const states = (prefix: string, list: readonly Tensor[] | null | undefined) =>
    Object.fromEntries((list ?? []).map((each, i) => [`${prefix}.${i}`, each]));
  const hidden = encoderHiddenStates
    ? { ...states('encoder_hidden', encoderHiddenStates), ...states('decoder_hidden', hiddenStates) }
    : states('hidden', hiddenStates);
  const parameters = Object.fromEntries(model.namedParameters({ duplicates: true }));
  return { logits, loss, ...hidden, ...gradients(parameters) };
}

/** What has a row for each token counts only where there is a token. */
function maskPadding(c: Case, model: AnyModel, results: Record<string, HostTensor>): Record<string, HostTensor> {
  if (!c.has('attention_mask')) return results;
  const mask = c.host('attention_mask');
  const names = isSeq2Seq(model) ? /^encoder_hidden\./ : /^(logits$|hidden\.)/; // the mask is of the encoder's tokens
  const ofTokens = (name: string, { shape }: HostTensor) => names.test(name) && shape.length === 3;
  return Object.fromEntries(
    Object.entries(results).map(([name, result]) => [name, ofTokens(name, result) ? { ...result, mask } : result]),
  );
}

/** Greedy continuations, of one prompt and of a batch with padding on the left. */
async function continuations(c: Case, model: CausalModel): Promise<Outcome> {
  const tensors: Record<string, HostTensor> = {};
  let smallest = Infinity;
  for (const name of ['generate', 'generate_batch']) {
    if (!c.has(`${name}.prompt`)) continue;
    const prompts = rowsOf(c.host(`${name}.prompt`));
    const mask = c.has(`${name}.attention_mask`) ? rowsOf(c.host(`${name}.attention_mask`)) : null;
    const real = prompts.map((row, r) => row.filter((_, t) => !mask || mask[r]![t] === 1));
    const maxNewTokens = c.host(`${name}.output`).shape[1]! - prompts[0]!.length;
    const texts = await generate(model, real, { maxNewTokens, eosTokenIds: [] }); // the end token is ignored
    const rows = prompts.map((row, r) => [...row, ...texts[r]!.slice(real[r]!.length)]);
    tensors[`${name}.output`] = { shape: [rows.length, rows[0]!.length], data: Int32Array.from(rows.flat()) };
    smallest = Math.min(smallest, await smallestMargin(model, texts, maxNewTokens));
  }
  return { tensors, values: { 'generate.smallest_top1_top2_margin': smallest } };
}

/** The greedy answer to the first source. */
async function answers(c: Case, model: Seq2SeqModel): Promise<Outcome> {
  if (!c.has('generate.output')) return {};
  const source = rowsOf(c.host('input_ids'))[0]!;
  const mask = c.has('attention_mask') ? rowsOf(c.host('attention_mask'))[0]! : source.map(() => 1);
  const real = source.filter((_, t) => mask[t] === 1);
  const maxNewTokens = c.host('generate.output').shape[1]! - 1;
  return answer(model, real, maxNewTokens);
}

/** How far the largest logit lies above the second wherever a token was chosen, in one pass over whole texts. */
async function smallestMargin(model: CausalModel, texts: number[][], chosen: number): Promise<number> {
  const { logits } = await read(() => {
    const batch = tokenBatch(texts, { vocabSize: model.config.vocabSize, paddingSide: 'left' });
    return { logits: noGrad(() => model.forward(batch).logits) };
  });
  const tokens = logits!.shape[1]!;
  // what the places before foretell was given, what the last one does is not there
  return smallestGap(logits!, (row) => row % tokens >= tokens - 1 - chosen && row % tokens < tokens - 1);
}

function rowsOf({ shape, data }: HostTensor): number[][] {
  const width = shape[1]!;
  return Array.from({ length: shape[0]! }, (_, r) => Array.from(data.slice(r * width, (r + 1) * width)));
}
