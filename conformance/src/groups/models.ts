import {
  type AnyModel,
  type BertForMaskedLM,
  type CausalModel,
  ConfigError,
  fromPretrained,
  GPT2LMHeadModel,
  generate,
  LlamaForCausalLM,
  tokenBatch,
} from '@burin/models';
import { noGrad } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import { gradients, type Outcome, read } from '../outcome.js';

/** Whole models, loaded from their Hugging Face folder: config.json alone says what they are. */
export async function models(c: Case): Promise<Outcome> {
  const model = await load(c);
  try {
    const results = await read(() => forwardAndBackward(c, model));
    const { loss, ...tensors } = maskPadding(c, results);
    const values = loss && { loss: loss.data[0]! };
    if (!isCausal(model)) return { tensors, values: { ...values } };
    const generated = await generations(c, model);
    return { tensors: { ...tensors, ...generated.tensors }, values: { ...values, ...generated.values } };
  } finally {
    model.zeroGrad();
    model.dispose();
  }
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
  return model instanceof LlamaForCausalLM || model instanceof GPT2LMHeadModel;
}

function forwardAndBackward(c: Case, model: AnyModel) {
  const input = {
    inputIds: c.tensor('input_ids'),
    attentionMask: c.has('attention_mask') ? c.mask('attention_mask') : null,
    tokenTypeIds: c.has('token_type_ids') ? c.tensor('token_type_ids') : null,
    labels: c.has('labels') ? c.tensor('labels') : null,
    outputHiddenStates: true,
  };
  const { logits, loss, hiddenStates } = (model as BertForMaskedLM).forward(input); // the input that has everything
  loss?.backward();
  const hidden = hiddenStates!.map((states, i) => [`hidden.${i}`, states]);
  const parameters = Object.fromEntries(model.namedParameters({ duplicates: true }));
  return { logits, loss, ...Object.fromEntries(hidden), ...gradients(parameters) };
}

/** What has a row for each token counts only where there is a token. */
function maskPadding(c: Case, results: Record<string, HostTensor>): Record<string, HostTensor> {
  if (!c.has('attention_mask')) return results;
  const mask = c.host('attention_mask');
  const ofTokens = (name: string, { shape }: HostTensor) =>
    (name === 'logits' || name.startsWith('hidden.')) && shape.length === 3;
  return Object.fromEntries(
    Object.entries(results).map(([name, result]) => [name, ofTokens(name, result) ? { ...result, mask } : result]),
  );
}

/** Greedy continuations, of one prompt and of a batch with padding on the left. */
async function generations(c: Case, model: CausalModel): Promise<Required<Pick<Outcome, 'tensors' | 'values'>>> {
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

/** How far the largest logit lies above the second wherever a token was chosen, in one pass over whole texts. */
async function smallestMargin(model: CausalModel, texts: number[][], chosen: number): Promise<number> {
  const { logits } = await read(() => {
    const batch = tokenBatch(texts, { vocabSize: model.config.vocabSize, paddingSide: 'left' });
    return { logits: noGrad(() => model.forward(batch).logits) };
  });
  const [, tokens, vocab] = logits!.shape as [number, number, number];
  let smallest = Infinity;
  for (let row = 0; row < texts.length * tokens; row++) {
    const t = row % tokens;
    if (t < tokens - 1 - chosen || t === tokens - 1) continue; // what these places foretell was given, or is not there
    const [first, second] = logits!.data.slice(row * vocab, (row + 1) * vocab).sort((a, b) => b - a);
    smallest = Math.min(smallest, first! - second!);
  }
  return smallest;
}

function rowsOf({ shape, data }: HostTensor): number[][] {
  const width = shape[1]!;
  return Array.from({ length: shape[0]! }, (_, r) => Array.from(data.slice(r * width, (r + 1) * width)));
}
