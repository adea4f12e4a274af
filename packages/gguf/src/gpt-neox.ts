import type { GgufArchitecture } from './architectures.js';
import type { ConfigValues } from './config.js';
import { bool, float32, type Metadata, uint32 } from './metadata.js';
import { partOfLayer } from './part-of-layer.js';
import { groupedRows, type Placement } from './placement.js';
import { turningPart } from './rope.js';

const PARTS: Readonly<Record<string, string>> = {
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  'attention.query_key_value': 'attn_qkv',
  'attention.dense': 'attn_output',
  'mlp.dense_h_to_4h': 'ffn_up',
  'mlp.dense_4h_to_h': 'ffn_down',
};

const WHOLE: Readonly<Record<string, string>> = {
  'gpt_neox.embed_in.weight': 'token_embd.weight',
  'gpt_neox.final_layer_norm.weight': 'output_norm.weight',
  'gpt_neox.final_layer_norm.bias': 'output_norm.bias',
  'embed_out.weight': 'output.weight',
};

export const GPT_NEOX: GgufArchitecture = { name: 'gptneox', metadata, place };

const headsOf = (config: ConfigValues) => config.number('num_attention_heads', 64);

function metadata(config: ConfigValues): Metadata {
  config.expect('hidden_act', 'gelu', 'gelu_new', 'gelu_pytorch_tanh'); // llama.cpp approximates all by tanh
  config.expect('rope_scaling');
  config.expect('attention_bias', true);
  config.expect('tie_word_embeddings', false);
  const width = config.number('hidden_size', 6144);
  const turning = turningPart(config, 'rotary_emb_base', 'rotary_pct', 0.25);
  const values = {
    vocab_size: uint32(config.number('vocab_size', 50_432)),
    context_length: uint32(config.number('max_position_embeddings', 2048)),
    embedding_length: uint32(width),
    block_count: uint32(config.number('num_hidden_layers', 44)),
    feed_forward_length: uint32(config.number('intermediate_size', 24_576)),
    'attention.head_count': uint32(headsOf(config)),
    'attention.layer_norm_epsilon': float32(config.number('layer_norm_eps', 1e-5)),
    'rope.dimension_count': uint32(Math.floor((width / headsOf(config)) * turning.share)),
    'rope.freq_base': float32(turning.theta),
    use_parallel_residual: bool(config.raw.use_parallel_residual !== false),
  };
  return new Map(Object.entries(values).map(([key, value]) => [`gptneox.${key}`, value]));
}

function place(name: string, config: ConfigValues): Placement | null | undefined {
  if (Object.hasOwn(WHOLE, name)) return { name: WHOLE[name]! };
  if (/\.attention\.(bias|masked_bias|rotary_emb\.inv_freq)$/.test(name)) return null; // follow from the sizes
  const part = partOfLayer(name, 'gpt_neox.layers', PARTS);
  if (!part) return undefined;
  return part.of === 'attn_qkv' ? { name: part.name, rowOrder: groupedRows(headsOf(config)) } : { name: part.name };
}
