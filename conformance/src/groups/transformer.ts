import { readJsonFile } from '@burin/checkpoint';
import { blankWeights, generateFromEncoder, type Seq2SeqModel, Transformer, transformerConfig } from '@burin/models';
import { loadStateDict } from '@burin/nn';
import { noGrad, tensor } from '@burin/tensor';
import { type Case, readFile } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import { gradients, type Outcome, read } from '../outcome.js';
import { smallestGap } from './smallest-gap.js';

/** The encoder-decoder of 2017, whose config.json names no architecture: its tensors are those of PyTorch's module. */
export async function transformer(c: Case): Promise<Outcome> {
  const model = await load(c);
  try {
    const { loss, ...tensors } = await read(() => forwardAndBackward(c, model));
    const mask = c.host('src_mask');
    const results = { ...tensors, encoder_out: { ...tensors.encoder_out!, mask } };
    const generated = await continuation(c, model);
    return {
      tensors: { ...results, ...generated.tensors },
      values: { ...(loss && { loss: loss.data[0]! }), ...generated.values },
    };
  } finally {
    model.zeroGrad();
    model.dispose();
  }
}

async function load(c: Case): Promise<Transformer> {
  const raw = (await readJsonFile(c.path('config'))) as Record<string, unknown>;
  const config = transformerConfig({ ...raw, bos_token_id: c.config.number('bos_token_id') });
  const model = new Transformer({ config, weights: blankWeights('float32'), rng: null });
  const stored = await readFile(c.path('weights'));
  const state = new Map([...stored].map(([name, { shape, data }]) => [name, c.own(tensor(data, shape))]));
  loadStateDict(model, state);
  return model.eval();
}

function forwardAndBackward(c: Case, model: Transformer) {
  const { logits, loss, hiddenStates, encoderHiddenStates } = model.forward({
    inputIds: c.tensor('src'),
    attentionMask: c.mask('src_mask'),
    decoderInputIds: c.tensor('tgt_in'),
    labels: c.tensor('labels'),
    outputHiddenStates: true,
  });
  loss!.backward();
  const parameters = Object.fromEntries(model.namedParameters({ duplicates: true }));
  const [encoder_out, decoder_out] = [encoderHiddenStates!.at(-1)!, hiddenStates!.at(-1)!];
  return { logits, loss, encoder_out, decoder_out, ...gradients(parameters) };
}

async function continuation(c: Case, model: Transformer): Promise<Outcome> {
  if (!c.has('generate.output')) return {};
  const { shape, data } = c.host('src');
  const mask = c.host('src_mask').data;
  const source = Array.from(data.slice(0, shape[1])).filter((_, t) => mask[t] === 1);
  return answer(model, source, c.host('generate.output').shape[1]! - 1);
}

/** The greedy answer to a source, and how far the largest logit lies above the second at each step. */
export async function answer(model: Seq2SeqModel, source: number[], maxNewTokens: number): Promise<Outcome> {
  const [row] = await generateFromEncoder(model, [source], { maxNewTokens, eosTokenIds: [] });
  const ids = (values: readonly number[]) => tensor(Int32Array.from(values), [1, values.length]);
  const { logits } = await read(() => {
    const memory = noGrad(() => model.encode({ inputIds: ids(source) }).states);
    return { logits: noGrad(() => model.decode({ inputIds: ids(row!.slice(0, -1)), memory }).logits) };
  });
  const output: HostTensor = { shape: [1, row!.length], data: Int32Array.from(row!) };
  return {
    tensors: { 'generate.output': output },
    values: { 'generate.smallest_top1_top2_margin': smallestGap(logits!, () => true) },
  };
}
