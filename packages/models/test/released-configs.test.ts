import { architectureOf, DeepseekV2ForCausalLM, ModernBertForMaskedLM, Phi3ForCausalLM } from '@burin/models';
import { describe, expect, it } from 'vitest';

/** What the config.json of released models says where it matters, and how many weights their papers count. */
const DEEPSEEK_V2_LITE = {
  ...{ model_type: 'deepseek_v2', vocab_size: 102400, hidden_size: 2048, intermediate_size: 10944 },
  ...{ moe_intermediate_size: 1408, num_hidden_layers: 27, num_attention_heads: 16, num_key_value_heads: 16 },
  ...{ n_shared_experts: 2, n_routed_experts: 64, num_experts_per_tok: 6, first_k_dense_replace: 1, moe_layer_freq: 1 },
  ...{ routed_scaling_factor: 1, norm_topk_prob: false, topk_method: 'greedy', n_group: 1, topk_group: 1 },
  ...{ kv_lora_rank: 512, q_lora_rank: null, qk_rope_head_dim: 64, v_head_dim: 128, qk_nope_head_dim: 128 },
  ...{ scoring_func: 'softmax', aux_loss_alpha: 0.001, seq_aux: true, hidden_act: 'silu', pretraining_tp: 1 },
  ...{ max_position_embeddings: 163840, rms_norm_eps: 1e-6, rope_theta: 10000, attention_bias: false },
  rope_scaling: {
    ...{ type: 'yarn', factor: 40, original_max_position_embeddings: 4096, beta_fast: 32, beta_slow: 1 },
    ...{ mscale: 707 / 1000, mscale_all_dim: 707 / 1000 }, // about, not exactly, the root of a half
  },
};
const DEEPSEEK_V2 = {
  ...{ ...DEEPSEEK_V2_LITE, hidden_size: 5120, intermediate_size: 12288, moe_intermediate_size: 1536 },
  ...{
    num_hidden_layers: 60,
    num_attention_heads: 128,
    num_key_value_heads: 128,
    n_routed_experts: 160,
    q_lora_rank: 1536,
  },
  ...{ topk_method: 'group_limited_greedy', n_group: 8, topk_group: 3, routed_scaling_factor: 16 },
};
const MODERNBERT_BASE = {
  ...{ model_type: 'modernbert', vocab_size: 50368, hidden_size: 768, intermediate_size: 1152, num_hidden_layers: 22 },
  ...{ num_attention_heads: 12, hidden_activation: 'gelu', norm_eps: 1e-5, norm_bias: false, attention_bias: false },
  ...{ global_attn_every_n_layers: 3, local_attention: 128, global_rope_theta: 160000, local_rope_theta: 10000 },
  ...{ pad_token_id: 50283, classifier_pooling: 'mean', decoder_bias: true, position_embedding_type: 'absolute' },
};
const PHI_4_MINI = {
  ...{ model_type: 'phi3', vocab_size: 200064, hidden_size: 3072, intermediate_size: 8192, num_hidden_layers: 32 },
  ...{ num_attention_heads: 24, num_key_value_heads: 8, max_position_embeddings: 131072, partial_rotary_factor: 0.75 },
  ...{
    original_max_position_embeddings: 4096,
    sliding_window: 262144,
    tie_word_embeddings: true,
    pad_token_id: 199999,
  },
  rope_scaling: { type: 'longrope', short_factor: Array(48).fill(1), long_factor: Array(48).fill(2) },
};

describe('config.json of released models', () => {
  it.each([
    ['DeepSeek-V2-Lite', DeepseekV2ForCausalLM, DEEPSEEK_V2_LITE, 15.7e9],
    ['DeepSeek-V2', DeepseekV2ForCausalLM, DEEPSEEK_V2, 236e9],
    ['ModernBERT-base', ModernBertForMaskedLM, MODERNBERT_BASE, 149e6],
    ['Phi-4-mini', Phi3ForCausalLM, PHI_4_MINI, 3.84e9],
  ] as const)('%s has as many weights as it is said to have', (_name, model, raw, count) => {
    const body = architectureOf(model as typeof Phi3ForCausalLM).weightCount(raw, 'config.json');
    // the head of the first two is not counted by weightCount, and is of their count
    const head = 'kv_lora_rank' in raw ? raw.vocab_size * raw.hidden_size : 0;
    expect(Math.abs(body + head - count) / count).toBeLessThan(0.01);
  });
});
