import type { GgufArchitecture } from './architectures.js';
import type { ConfigValues } from './config.js';
import { float32, type Metadata, uint32 } from './metadata.js';
import { partOfLayer } from './part-of-layer.js';
import type { Placement } from './placement.js';

/** Parts of a layer under both names; the first four are stored `[in, out]` in the checkpoint. */
const PARTS: Readonly<Record<string, string>> = {
  'attn.c_attn': 'attn_qkv',
  'attn.c_proj': 'attn_output',
  'mlp.c_fc': 'ffn_up',
  'mlp.c_proj': 'ffn_down',
  ln_1: 'attn_norm',
  ln_2: 'ffn_norm',
};

const WHOLE: Readonly<Record<string, string>> = {
  'wte.weight': 'token_embd.weight',
  'wpe.weight': 'position_embd.weight',
  'ln_f.weight': 'output_norm.weight',
  'ln_f.bias': 'output_norm.bias',
};

export const GPT2: GgufArchitecture = { name: 'gpt2', metadata, place };

function metadata(config: ConfigValues): Metadata {
  config.expect('activation_function', 'gelu_new', 'gelu_pytorch_tanh');
  config.expect('scale_attn_weights', true);
  config.expect('scale_attn_by_inverse_layer_idx', false);
  const width = config.number('n_embd', 768);
  const values = {
    vocab_size: uint32(config.number('vocab_size', 50_257)),
    context_length: uint32(config.number(['n_positions', 'n_ctx'], 1024)),
    embedding_length: uint32(width),
    block_count: uint32(config.number('n_layer', 12)),
    feed_forward_length: uint32(config.number('n_inner', 4 * width)),
    'attention.head_count': uint32(config.number('n_head', 12)),
    'attention.layer_norm_epsilon': float32(config.number('layer_norm_epsilon', 1e-5)),
  };
  return new Map(Object.entries(values).map(([key, value]) => [`gpt2.${key}`, value]));
}

function place(name: string, config: ConfigValues): Placement | null | undefined {
  const isTied = config.raw.tie_word_embeddings !== false;
  if (name === 'lm_head.weight') return { name: isTied ? 'token_embd.weight' : 'output.weight' };
  const bare = name.replace(/^transformer\./, '');
  if (Object.hasOwn(WHOLE, bare)) return { name: WHOLE[bare]! };
  if (/^h\.\d+\.attn\.(bias|masked_bias)$/.test(bare)) return null; // the causal mask of older files
  const part = partOfLayer(bare, 'h', PARTS);
  if (!part) return undefined;
  return { name: part.name, transposed: part.kind === 'weight' && !part.of.endsWith('norm') };
}
