import { loadStateDict } from '@burin/nn';
import { BatchNorm, clipGradNorm_, layerNorm, type NormOrder, rmsNorm, vectorNorm } from '@burin/norm';
import type { Tensor } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import { gradients, type Outcome, read } from '../outcome.js';

/** Norms of rows, batch norm over several steps, norms of vectors, clipping; told apart by the tensors of the case. */
export async function norm(c: Case): Promise<Outcome> {
  if (c.has('grad_in.0')) return { tensors: await read(() => clipped(c)) };
  if (c.has('running_mean_init')) return batchNorm(c);
  if (!c.has('x')) throw new Unsupported('norms of other inputs than x');
  if (!c.has('weight')) return { tensors: await read(() => vectorNorms(c)) };
  return { tensors: await read(() => rowNorm(c)) };
}

function rowNorm(c: Case): Record<string, Tensor | null> {
  const [x, weight] = [c.leaf('x'), c.leaf('weight')];
  const bias = c.has('bias') ? c.leaf('bias') : null; // LayerNorm has one, RMSNorm has none
  const options = { eps: c.config.number('eps') };
  const out = bias ? layerNorm(x, weight, bias, options) : rmsNorm(x, weight, options);
  out.backward(c.tensor('d_out'));
  return { out, ...gradients({ x, weight, bias }) };
}

async function batchNorm(c: Case): Promise<Outcome> {
  const { config } = c;
  const layer = new BatchNorm(config.number('channels'), {
    eps: config.number('eps'),
    momentum: config.number('momentum'),
  });
  try {
    const start = {
      weight: 'weight',
      bias: 'bias',
      running_mean: 'running_mean_init',
      running_var: 'running_var_init',
    };
    const state = new Map(Object.entries(start).map(([own, name]) => [own, c.tensor(name)]));
    loadStateDict(layer, state, { strict: false });
    const tensors = await read(() => ({ ...trained(c, layer), ...evaluated(c, layer) }));
    return { tensors, values: { num_batches_tracked: await layer.numBatchesTracked.item() } };
  } finally {
    layer.dispose();
  }
}

/** Every training batch; gradients of the last. */
function trained(c: Case, layer: BatchNorm): Record<string, Tensor | null> {
  const results: Record<string, Tensor | null> = {};
  const batches = c.config.number('train_batches');
  for (let i = 0; i < batches; i++) {
    const x = c.leaf(`x.${i}`);
    const out = layer.forward(x);
    results[`train_out.${i}`] = out;
    results[`running_mean.${i}`] = layer.runningMean.clone();
    results[`running_var.${i}`] = layer.runningVar.clone();
    if (i === batches - 1) Object.assign(results, batchGradients(c, layer, x, out, 'train'));
  }
  return results;
}

function evaluated(c: Case, layer: BatchNorm): Record<string, Tensor | null> {
  const x = c.leaf('x_eval');
  const out = layer.eval().forward(x);
  return { eval_out: out, ...batchGradients(c, layer, x, out, 'eval') };
}

function batchGradients(c: Case, { weight, bias }: BatchNorm, x: Tensor, out: Tensor, mode: string) {
  for (const parameter of [weight, bias]) parameter.zeroGrad();
  out.backward(c.tensor('d_out'));
  const copies = Object.entries({ x, weight, bias }).map(([name, leaf]) => [name, leaf.grad!.clone()]);
  return Object.fromEntries(copies.map(([name, grad]) => [`grad.${mode}.${name}`, grad]));
}

function clipped(c: Case): Record<string, Tensor | null> {
  const results: Record<string, Tensor | null> = {};
  const names = Object.keys(c.manifest.tensors).filter((name) => name.startsWith('grad_in.'));
  for (const [i, config] of c.config.tables('cases').entries()) {
    const parameters = names.map((name) => {
      const parameter = c.leaf(name);
      parameter.grad = c.tensor(name);
      return parameter;
    });
    const ord = config.values.norm_type === 'inf' ? Infinity : config.number('norm_type');
    results[`case${i}.total_norm`] = clipGradNorm_(parameters, config.number('max_norm'), { ord: ord as NormOrder });
    for (const [k, name] of names.entries()) {
      results[`case${i}.${name.replace('grad_in', 'grad_out')}`] = parameters[k]!.grad;
    }
  }
  return results;
}

function vectorNorms(c: Case): Record<string, Tensor | null> {
  const results: Record<string, Tensor | null> = {};
  for (const [name, ord] of Object.entries({ l1: 1, l2: 2, linf: Infinity })) {
    const x = c.leaf('x');
    const all = vectorNorm(x, { ord: ord as NormOrder });
    all.backward();
    results[`${name}.all`] = all;
    results[`${name}.rows`] = vectorNorm(x, { ord: ord as NormOrder, axes: -1 });
    results[`grad.${name}.all.x`] = x.grad;
  }
  return results;
}
