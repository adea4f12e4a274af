import type { GgufArchitecture } from './architectures.js';
import type { ConfigValues } from './config.js';
import { float32, type Metadata, uint32 } from './metadata.js';
import { partOfLayer } from './part-of-layer.js';
import { type Placement, pairedRows } from './placement.js';
import { ropeFactors, ropeMetadata } from './rope.js';

/** What tells the members of the family apart. */
interface Member {
  readonly name: string;
  readonly activation: string;
  /** Rotation turns neighbours, so that rows of queries and keys are put side by side. */
  readonly isPaired?: boolean;
  /** Norms multiply by 1 + weight. */
  readonly plusOne?: boolean;
  readonly keyValueHeads?: number; // where config.json is silent; else as many as query heads
  readonly headDim?: number; // the same; else the width divided by the heads
  readonly isTied?: boolean; // the same; else not
  readonly isAlwaysTied?: boolean; // llama.cpp has no head of its own
}

export const LLAMA = member({ name: 'llama', activation: 'silu', isPaired: true });
/** llama.cpp has no architecture of its own for it. */
export const MISTRAL = member({ name: 'llama', activation: 'silu', isPaired: true, keyValueHeads: 8 });
export const QWEN2 = member({ name: 'qwen2', activation: 'silu', keyValueHeads: 32 });
export const QWEN3 = member({ name: 'qwen3', activation: 'silu', keyValueHeads: 32, headDim: 128 });
export const GEMMA = member({
  ...{ name: 'gemma', activation: 'gelu_pytorch_tanh', plusOne: true },
  ...{ keyValueHeads: 16, headDim: 256, isTied: true, isAlwaysTied: true },
});

/** Parts of a layer under both names. */
const PARTS: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
  'self_attn.q_norm': 'attn_q_norm',
  'self_attn.k_norm': 'attn_k_norm',
  'mlp.gate_proj': 'ffn_gate',
  'mlp.up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

function member(own: Member): GgufArchitecture {
  return {
    name: own.name,
    metadata: (config) => metadata(own, config),
    place: (name, config) => place(own, name, config),
    derived: (config) => ropeFactors(config, sizes(own, config).headDim),
  };
}

function sizes({ keyValueHeads, headDim }: Member, config: ConfigValues) {
  const width = config.number('hidden_size');
  const heads = config.number('num_attention_heads');
  return {
    width,
    heads,
    keyValueHeads: config.number('num_key_value_heads', keyValueHeads ?? heads),
    headDim: config.number('head_dim', headDim ?? width / heads),
  };
}

function metadata(own: Member, config: ConfigValues): Metadata {
  const { width, heads, keyValueHeads, headDim } = sizes(own, config);
  config.expect(config.has('hidden_activation') ? 'hidden_activation' : 'hidden_act', own.activation);
  config.expect('use_sliding_window', false);
  const values = {
    vocab_size: uint32(config.number('vocab_size')),
    context_length: uint32(contextLength(config)),
    embedding_length: uint32(width),
    block_count: uint32(config.number('num_hidden_layers')),
    feed_forward_length: uint32(config.number('intermediate_size')),
    'attention.head_count': uint32(heads),
    'attention.head_count_kv': uint32(keyValueHeads),
    'attention.key_length': uint32(headDim),
    'attention.value_length': uint32(headDim),
    'attention.layer_norm_rms_epsilon': float32(config.number('rms_norm_eps', 1e-6)),
    'rope.dimension_count': uint32(headDim),
    ...ropeMetadata(config),
  };
  return new Map(Object.entries(values).map(([key, value]) => [`${own.name}.${key}`, value]));
}

/** llama.cpp knows no sliding window of Mistral's: as many tokens as one window holds are computed as the model does. */
function contextLength(config: ConfigValues): number {
  const positions = config.number('max_position_embeddings', 2048);
  const slides = config.raw.model_type === 'mistral' && config.raw.sliding_window !== null;
  return slides ? Math.min(positions, config.number('sliding_window', 4096)) : positions;
}

function place(own: Member, name: string, config: ConfigValues): Placement | null | undefined {
  if (name === 'model.embed_tokens.weight') return { name: 'token_embd.weight' };
  if (name === 'model.norm.weight') return { name: 'output_norm.weight', plusOne: own.plusOne === true };
  if (name === 'lm_head.weight') return placeOfHead(own, config);
  const part = partOfLayer(name, 'model.layers', PARTS);
  if (!part) return undefined;
  const { heads, keyValueHeads } = sizes(own, config);
  if (own.isPaired && part.of === 'attn_q') return { name: part.name, rowOrder: pairedRows(heads) };
  if (own.isPaired && part.of === 'attn_k') return { name: part.name, rowOrder: pairedRows(keyValueHeads) };
  return { name: part.name, plusOne: own.plusOne === true && part.of.endsWith('norm') };
}

function placeOfHead(own: Member, config: ConfigValues): Placement | undefined {
  if (isTied(own, config)) return { name: 'token_embd.weight' };
  return own.isAlwaysTied ? undefined : { name: 'output.weight' };
}

function isTied(own: Member, config: ConfigValues): boolean {
  return Boolean(config.raw.tie_word_embeddings ?? own.isTied ?? false);
}
