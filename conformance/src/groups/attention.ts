import {
  type AttentionMasks,
  attentionWeights,
  fromPackedProjection,
  MultiHeadAttention,
  scaledDotProductAttention,
} from '@burin/attention';
import { type HeadLayout, Linear } from '@burin/nn';
import { cat, type Tensor, zeros } from '@burin/tensor';
import type { Case } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import { gradients, type Outcome, read } from '../outcome.js';
import { layoutOf } from './layout.js';

/** Attention as an operation, or the module with its projections. */
export async function attention(c: Case): Promise<Outcome> {
  if (c.has('in_proj_weight')) return { tensors: await read(() => attentionModule(c)) };
  const { allowed, ...tensors } = await read(() => attentionOperation(c));
  return { tensors, inputs: { allowed: asMask(allowed!) } };
}

function attentionOperation(c: Case): Record<string, Tensor | null> {
  const [q, k, v] = [c.leaf('q'), c.leaf('k'), c.leaf('v')];
  const bias = c.has('bias') ? c.leaf('bias') : null;
  const options = { ...masksOf(c), layout: layoutOf(c) };
  const out = scaledDotProductAttention(q, k, v, { ...options, bias });
  out.backward(c.tensor('d_out'));
  return { out, allowed: seen(q, k, options), ...gradients({ q, k, v, bias }) };
}

function masksOf(c: Case): AttentionMasks {
  const { config } = c;
  return {
    causal: config.flag('causal'),
    window: config.has('sliding_window') ? config.number('sliding_window') : null,
    queryOffset: config.number('query_offset', 0),
    scale: config.has('scale') ? config.number('scale') : null,
    keyPaddingMask: paddingOf(c),
  };
}

function paddingOf(c: Case): Tensor | null {
  return c.has('key_padding_mask') ? c.mask('key_padding_mask') : null;
}

/** `[B, 1, T, S]`: more than 0 where a query sees a key. Queries of zeros spread evenly over what they see. */
function seen(q: Tensor, k: Tensor, options: AttentionMasks & { layout: HeadLayout }): Tensor {
  return attentionWeights(zeros(q.shape), k.detach(), options).narrow(1, 0, 1);
}

function asMask({ shape, data }: HostTensor): HostTensor {
  return { shape, data: Uint8Array.from(data, (share) => (share > 0 ? 1 : 0)) };
}

function attentionModule(c: Case): Record<string, Tensor | null> {
  const split = fromPackedProjection(c.tensor('in_proj_weight'), c.tensor('in_proj_bias'));
  const oProj = Linear.from(c.parameter('out_proj.weight'), c.parameter('out_proj.bias'));
  const module = new MultiHeadAttention({ ...split, oProj, heads: c.config.number('n_heads') });
  for (const parameter of module.parameters()) c.own(parameter);
  const [query, memory] = [c.leaf('query'), c.leaf('memory')];
  const options = { memory, keyPaddingMask: paddingOf(c) };
  const out = module.forward(query, options);
  out.backward(c.tensor('d_out'));
  const inputs = [split.qProj, split.kProj, split.vProj];
  return {
    out,
    attn_weights: module.attentionWeights(query, options),
    'grad.in_proj_weight': cat(inputs.map(({ weight }) => weight.grad!)),
    'grad.in_proj_bias': cat(inputs.map(({ bias }) => bias!.grad!)),
    ...gradients({ query, memory, 'out_proj.weight': oProj.weight, 'out_proj.bias': oProj.bias }),
  };
}
