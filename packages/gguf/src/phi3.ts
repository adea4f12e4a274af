import type { GgufArchitecture } from './architectures.js';
import type { ConfigValues } from './config.js';
import { float32, type Metadata, uint32 } from './metadata.js';
import { partOfLayer } from './part-of-layer.js';
import type { Placement } from './placement.js';
import { turningPart } from './rope.js';

const PARTS: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'self_attn.qkv_proj': 'attn_qkv',
  'self_attn.o_proj': 'attn_output',
  'mlp.gate_up_proj': 'ffn_up',
  'mlp.down_proj': 'ffn_down',
};

export const PHI3: GgufArchitecture = { name: 'phi3', metadata, place };

function metadata(config: ConfigValues): Metadata {
  config.expect('hidden_act', 'silu');
  config.expect('rope_scaling');
  const width = config.number('hidden_size', 3072);
  const heads = config.number('num_attention_heads', 32);
  const positions = config.number('max_position_embeddings', 4096);
  const turning = turningPart(config, 'rope_theta', 'partial_rotary_factor', 1);
  const values = {
    vocab_size: uint32(config.number('vocab_size', 32_064)),
    context_length: uint32(Math.min(positions, config.number('sliding_window', positions))), // see llama.ts
    'rope.scaling.original_context_length': uint32(positions),
    embedding_length: uint32(width),
    block_count: uint32(config.number('num_hidden_layers', 32)),
    feed_forward_length: uint32(config.number('intermediate_size', 8192)),
    'attention.head_count': uint32(heads),
    'attention.head_count_kv': uint32(config.number('num_key_value_heads', heads)),
    'attention.layer_norm_rms_epsilon': float32(config.number('rms_norm_eps', 1e-5)),
    'rope.dimension_count': uint32(Math.floor((width / heads) * turning.share)),
    'rope.freq_base': float32(turning.theta),
  };
  return new Map(Object.entries(values).map(([key, value]) => [`phi3.${key}`, value]));
}

function place(name: string, config: ConfigValues): Placement | null | undefined {
  if (name === 'model.embed_tokens.weight') return { name: 'token_embd.weight' };
  if (name === 'model.norm.weight') return { name: 'output_norm.weight' };
  const isTied = Boolean(config.raw.tie_word_embeddings);
  if (name === 'lm_head.weight') return { name: isTied ? 'token_embd.weight' : 'output.weight' };
  const part = partOfLayer(name, 'model.layers', PARTS);
  return part && { name: part.name };
}
