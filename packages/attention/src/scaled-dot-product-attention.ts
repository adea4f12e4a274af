import {
  type AttentionArguments,
  checkOptions,
  type HeadStrides,
  type RandomStream,
  record,
  scope,
  Tensor,
  widen,
} from '@burin/tensor';
import { headShape, headSizes } from './head-layout.js';
import { ATTENTION_OPTIONS, type AttentionOptions } from './options.js';
import { type AttentionPlan, planAttention } from './plan.js';

/**
 * Attention, block by block with an online softmax: memory grows with T + S, not with T · S, forward and backward.
 *
 *     out = dropout(softmax(scale · q kᵀ + bias)) · v
 *
 * Query head h reads key/value head `floor(h / (H / K))`: grouped-query attention where K is less than H. Masks: see
 * {@link AttentionOptions}. A query that sees no key gives zeros (PyTorch gives NaN).
 *
 * @param q - `[B, H, T, D]`, or `[B, T, H, D]` with layout `'bthd'`; float32, float16 or bfloat16
 * @param k - `[B, K, S, D]` or `[B, S, K, D]`; may be longer than `options.keys`, as a cache is
 * @param v - `[B, K, S, Dv]` or `[B, S, K, Dv]`
 * @returns float32 `[B, H, T, Dv]` or `[B, T, H, Dv]`
 * @throws ShapeError or DtypeError if operands or masks do not fit each other; RangeError if a number is out of range or an
 *   option is none
 * @see Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Dao et al. 2022, https://arxiv.org/abs/2205.14135
 */
export function scaledDotProductAttention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions): Tensor {
  const who = 'scaledDotProductAttention';
  checkOptions(who, options, ATTENTION_OPTIONS);
  return scope(() => {
    const operands = [widen(q, who), widen(k, who), widen(v, who)] as const;
    const plan = planAttention(who, operands, options.layout, options);
    const { device, bias } = plan;
    const { batch, heads, tokens } = plan.q;
    const out = Tensor.allocate(headShape(options.layout, batch, heads, tokens, plan.v.dim), 'float32', device);
    const lse = Tensor.allocate([batch, heads, tokens], 'float32', device);
    const { strides } = headSizes(who, 'out', out, options.layout);
    const stream = drawStream(who, plan, options);
    const args = kernelArguments(plan, operands, out, strides, lse, options.dropout ?? 0, stream);
    device.kernels.attention(args);

    const inputs = bias ? [...operands, bias] : operands;
    // `args` names the buffers; saving their tensors is what keeps them alive and unchanged until the backward pass.
    const saved = [...operands, out, lse, ...masksOf(plan)];
    return record(who, inputs, out, saved, (g, { needs, into }) => {
      const [dq, dk, dv] = operands.map((operand) => gradientOf(operand, plan)) as [Tensor, Tensor, Tensor];
      const dbias = bias && needs(3) ? (into(3) ?? Tensor.allocate(bias.shape, 'float32', device).fill_(0)) : null;
      device.kernels.attentionBackward(args, {
        g: g.storage.buffer,
        dq: dq.storage.buffer,
        dk: dk.storage.buffer,
        dv: dv.storage.buffer,
        dbias: dbias?.storage.buffer ?? null,
      });
      return [dq, dk, dv, dbias].slice(0, inputs.length);
    });
  });
}

/** One literal: spreading one into another of so many fields takes Node 20 longer than a token's attention does. */
function kernelArguments(
  plan: AttentionPlan,
  [q, k, v]: readonly [Tensor, Tensor, Tensor],
  out: Tensor,
  outStrides: HeadStrides,
  lse: Tensor,
  dropout: number,
  stream: RandomStream | null,
): AttentionArguments {
  return {
    q: q.storage.buffer,
    k: k.storage.buffer,
    v: v.storage.buffer,
    qStrides: plan.q.strides,
    kStrides: plan.k.strides,
    vStrides: plan.v.strides,
    batch: plan.q.batch,
    heads: plan.q.heads,
    kvHeads: plan.k.heads,
    queries: plan.q.tokens,
    keys: plan.keys,
    headDim: plan.q.dim,
    valueDim: plan.v.dim,
    scale: plan.scale,
    windowLeft: plan.windowLeft,
    windowRight: plan.windowRight,
    queryOffset: plan.queryOffset,
    keyMask: plan.keyMask?.storage.buffer ?? null,
    querySegments: plan.querySegments?.storage.buffer ?? null,
    keySegments: plan.keySegments?.storage.buffer ?? null,
    bias: plan.bias?.storage.buffer ?? null,
    biasStrides: plan.biasStrides,
    out: out.storage.buffer,
    outStrides,
    lse: lse.storage.buffer,
    dropout,
    stream,
  };
}

function masksOf({ keyMask, querySegments, keySegments, bias }: AttentionPlan): Tensor[] {
  return [keyMask, querySegments, keySegments, bias].filter((mask) => mask !== null);
}

/** Room for an operand's gradient. The kernel writes the keys in use only: what lies behind them gets zeros. */
function gradientOf(operand: Tensor, { k, keys, device }: AttentionPlan): Tensor {
  const gradient = Tensor.allocate(operand.shape, 'float32', device);
  return keys < k.tokens ? gradient.fill_(0) : gradient;
}

/** The numbers that decide which probabilities are dropped: one for each query and key. */
function drawStream(
  who: string,
  { q, keys }: AttentionPlan,
  { dropout = 0, rng }: AttentionOptions,
): RandomStream | null {
  if (!(dropout >= 0 && dropout < 1)) throw new RangeError(`${who}: dropout must be in [0, 1), got ${dropout}`);
  if (dropout === 0) return null;
  if (!rng) throw new RangeError(`${who}: dropout ${dropout} needs a random generator; pass rng: new Generator(seed)`);
  return rng.reserve(q.batch * q.heads * q.tokens * keys);
}
