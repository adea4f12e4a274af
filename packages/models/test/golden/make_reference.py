"""Makes folders beside it as make_golden.py does, of models written out below, each from its paper and its authors' code.

Ran with PyTorch 2.13.0 on a CPU, in float32; transformers is not needed. python3 make_reference.py [NAME ...]

Weights are a dict of the checkpoint's names; a model is a function of config, weights and inputs.
"""
import json
import math
import os
import shutil
import struct
import sys

import torch
import torch.nn.functional as F

HERE = os.path.dirname(os.path.abspath(__file__))
VOCAB, ROWS, TOKENS = 37, 2, 7


def rms(x, weight, eps=1e-6):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * weight


def embed(c, table, ids):
    return F.embedding(ids, table, padding_idx=c.get('pad_token_id'))


def wavelengths(dim, theta):
    """Radians a position, [dim / 2]."""
    return theta ** (-torch.arange(0, dim, 2, dtype=torch.float64) / dim)


def rotate(x, frequencies, scale=1.0, interleaved=False):
    """x [B, H, T, D]: the first 2 * len(frequencies) elements of each head turn, as halves or as neighbours."""
    turning = 2 * len(frequencies)
    angles = torch.arange(x.shape[2], dtype=torch.float64)[:, None] * frequencies
    cos, sin = (angles.cos() * scale).float(), (angles.sin() * scale).float()
    part, rest = x[..., :turning], x[..., turning:]
    if interleaved:
        a, b = part[..., 0::2], part[..., 1::2]
        turned = torch.stack((a * cos - b * sin, a * sin + b * cos), -1).flatten(-2)
    else:
        a, b = part.chunk(2, -1)
        turned = torch.cat((a * cos - b * sin, b * cos + a * sin), -1)
    return torch.cat((turned, rest), -1)


def attention(q, k, v, mask, scale):
    """[B, H, T, D]; mask [B, 1, T, S], true where seen."""
    k, v = (each.repeat_interleave(q.shape[1] // each.shape[1], 1) for each in (k, v))
    scores = (q @ k.transpose(-1, -2) * scale).masked_fill(~mask, -1e30)
    return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2)


def heads(x, count):
    return x.unflatten(-1, (count, -1)).transpose(1, 2)


def causal_mask(real, window=None):
    tokens = real.shape[1]
    distance = torch.arange(tokens)[:, None] - torch.arange(tokens)[None, :]
    seen = distance >= 0
    if window is not None:
        seen &= distance < window
    return seen[None, None] & real[:, None, None, :]


# ModernBERT: Warner et al. 2024, https://arxiv.org/abs/2412.13663

def modernbert_states(c, w, ids, real):
    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], w[f'{name}.weight'], None, c['norm_eps'])

    H, tokens = c['num_attention_heads'], ids.shape[1]
    distance = (torch.arange(tokens)[:, None] - torch.arange(tokens)[None, :]).abs()
    everywhere = real[:, None, None, :].expand(-1, 1, tokens, -1)
    x = norm(embed(c, w['model.embeddings.tok_embeddings.weight'], ids), 'model.embeddings.norm')
    for i in range(c['num_hidden_layers']):
        name = f'model.layers.{i}'
        local = i % c['global_attn_every_n_layers'] != 0
        mask = everywhere & (distance <= c['local_attention'] // 2) if local else everywhere
        frequencies = wavelengths(c['hidden_size'] // H, c['local_rope_theta' if local else 'global_rope_theta'])
        normed = norm(x, f'{name}.attn_norm') if i else x
        q, k, v = (heads(part, H) for part in (normed @ w[f'{name}.attn.Wqkv.weight'].T).chunk(3, -1))
        attended = attention(rotate(q, frequencies), rotate(k, frequencies), v, mask, (c['hidden_size'] // H) ** -0.5)
        x = x + attended @ w[f'{name}.attn.Wo.weight'].T
        gate, up = (norm(x, f'{name}.mlp_norm') @ w[f'{name}.mlp.Wi.weight'].T).chunk(2, -1)
        x = x + (F.gelu(gate) * up) @ w[f'{name}.mlp.Wo.weight'].T
    return norm(x, 'model.final_norm')


def modernbert_head(c, w, x):
    return F.layer_norm(F.gelu(x @ w['head.dense.weight'].T), x.shape[-1:], w['head.norm.weight'], None, c['norm_eps'])


def modernbert_mlm(c, w, ids, real):
    hidden = modernbert_head(c, w, modernbert_states(c, w, ids, real))
    return hidden @ w['model.embeddings.tok_embeddings.weight'].T + w['decoder.bias']


def modernbert_tokens(c, w, ids, real):
    hidden = modernbert_head(c, w, modernbert_states(c, w, ids, real))
    return hidden @ w['classifier.weight'].T + w['classifier.bias']


def modernbert_text(c, w, ids, real):
    states = modernbert_states(c, w, ids, real)
    if c['classifier_pooling'] == 'cls':
        pooled = states[:, 0]
    else:
        pooled = (states * real[..., None]).sum(1) / real.sum(1, keepdim=True)
    return modernbert_head(c, w, pooled) @ w['classifier.weight'].T + w['classifier.bias']


def modernbert_shapes(c, *more):
    C, F_ = c['hidden_size'], c['intermediate_size']
    shapes = {'model.embeddings.tok_embeddings.weight': (VOCAB, C), 'model.embeddings.norm.weight': (C,)}
    for i in range(c['num_hidden_layers']):
        name = f'model.layers.{i}'
        if i:
            shapes[f'{name}.attn_norm.weight'] = (C,)
        shapes |= {f'{name}.attn.Wqkv.weight': (3 * C, C), f'{name}.attn.Wo.weight': (C, C),
                   f'{name}.mlp_norm.weight': (C,), f'{name}.mlp.Wi.weight': (2 * F_, C), f'{name}.mlp.Wo.weight': (C, F_)}
    return shapes | {'model.final_norm.weight': (C,), 'head.dense.weight': (C, C), 'head.norm.weight': (C,)} | dict(more)


MODERNBERT = dict(
    model_type='modernbert', vocab_size=VOCAB, hidden_size=24, intermediate_size=20, num_hidden_layers=4,
    num_attention_heads=4, max_position_embeddings=40, norm_eps=1e-5, global_attn_every_n_layers=3, local_attention=4,
    global_rope_theta=160000.0, local_rope_theta=10000.0, pad_token_id=0, classifier_pooling='cls')


# DeepSeek-V2: https://arxiv.org/abs/2405.04434, and modeling_deepseek.py of its release

def deepseek_frequencies(c):
    dim, theta, rope = c['qk_rope_head_dim'], c['rope_theta'], c.get('rope_scaling')
    plain = wavelengths(dim, theta)
    if not rope:
        return plain, 1.0, 1.0
    factor, original = rope['factor'], rope['original_max_position_embeddings']

    def pair(turns):
        return dim * math.log(original / (turns * 2 * math.pi)) / (2 * math.log(theta))

    def magnitude(mscale):
        return 0.1 * mscale * math.log(factor) + 1 if factor > 1 else 1.0

    low, high = max(math.floor(pair(rope['beta_fast'])), 0), min(math.ceil(pair(rope['beta_slow'])), dim - 1)
    ramp = ((torch.arange(dim // 2, dtype=torch.float64) - low) / max(high - low, 0.001)).clamp(0, 1)
    stretched = plain / factor * ramp + plain * (1 - ramp)
    return stretched, magnitude(rope['mscale']) / magnitude(rope['mscale_all_dim']), magnitude(rope['mscale_all_dim']) ** 2


def deepseek_attention(c, w, name, x, mask):
    H, nope, turning, value = (c[key] for key in ('num_attention_heads', 'qk_nope_head_dim', 'qk_rope_head_dim', 'v_head_dim'))
    frequencies, scale, softmax_scale = deepseek_frequencies(c)

    def turn(each):
        return rotate(each, frequencies, scale, interleaved=True)

    if c['q_lora_rank'] is None:
        q = x @ w[f'{name}.q_proj.weight'].T
    else:
        q = rms(x @ w[f'{name}.q_a_proj.weight'].T, w[f'{name}.q_a_layernorm.weight']) @ w[f'{name}.q_b_proj.weight'].T
    q_nope, q_rope = heads(q, H).split((nope, turning), -1)
    latent, k_rope = (x @ w[f'{name}.kv_a_proj_with_mqa.weight'].T).split((c['kv_lora_rank'], turning), -1)
    expanded = rms(latent, w[f'{name}.kv_a_layernorm.weight']) @ w[f'{name}.kv_b_proj.weight'].T
    k_nope, v = heads(expanded, H).split((nope, value), -1)
    k_rope = turn(heads(k_rope, 1)).expand(-1, H, -1, -1)
    q, k = torch.cat((q_nope, turn(q_rope)), -1), torch.cat((k_nope, k_rope), -1)
    return attention(q, k, v, mask, (nope + turning) ** -0.5 * softmax_scale) @ w[f'{name}.o_proj.weight'].T


def swiglu(w, name, x):
    gate, up = x @ w[f'{name}.gate_proj.weight'].T, x @ w[f'{name}.up_proj.weight'].T
    return (F.silu(gate) * up) @ w[f'{name}.down_proj.weight'].T


def deepseek_experts(c, w, name, x):
    """Token by token, expert by expert."""
    E, groups = c['n_routed_experts'], c.get('n_group')
    scores = (x @ w[f'{name}.gate.weight'].T).softmax(-1)
    y = []
    for token, score in zip(x.flatten(0, 1), scores.flatten(0, 1)):
        allowed = range(E)
        if c['topk_method'] == 'group_limited_greedy':
            best = score.reshape(groups, -1).amax(-1).topk(c['topk_group']).indices.tolist()
            allowed = [e for e in allowed if e // (E // groups) in best]
        chosen = sorted(allowed, key=lambda e: -score[e].item())[:c['num_experts_per_tok']]
        factor = c['routed_scaling_factor']
        if c['norm_topk_prob']:
            factor = 1 / (sum(score[e] for e in chosen) + 1e-20)
        y.append(sum(score[e] * factor * swiglu(w, f'{name}.experts.{e}', token) for e in chosen))
    return torch.stack(y).reshape(x.shape) + swiglu(w, f'{name}.shared_experts', x)


def deepseek(c, w, ids, real):
    x, mask, eps = embed(c, w['model.embed_tokens.weight'], ids), causal_mask(real), c['rms_norm_eps']
    for i in range(c['num_hidden_layers']):
        name = f'model.layers.{i}'
        x = x + deepseek_attention(c, w, f'{name}.self_attn', rms(x, w[f'{name}.input_layernorm.weight'], eps), mask)
        block = deepseek_experts if i >= c['first_k_dense_replace'] else lambda c, w, name, x: swiglu(w, name, x)
        x = x + block(c, w, f'{name}.mlp', rms(x, w[f'{name}.post_attention_layernorm.weight'], eps))
    return rms(x, w['model.norm.weight'], eps) @ w['lm_head.weight'].T


def deepseek_shapes(c):
    C, H, rank = c['hidden_size'], c['num_attention_heads'], c['kv_lora_rank']
    nope, turning, value = c['qk_nope_head_dim'], c['qk_rope_head_dim'], c['v_head_dim']

    def block(name, F_):
        return {f'{name}.gate_proj.weight': (F_, C), f'{name}.up_proj.weight': (F_, C), f'{name}.down_proj.weight': (C, F_)}

    shapes = {'model.embed_tokens.weight': (VOCAB, C), 'model.norm.weight': (C,), 'lm_head.weight': (VOCAB, C)}
    for i in range(c['num_hidden_layers']):
        layer = f'model.layers.{i}'
        name = f'{layer}.self_attn'
        if c['q_lora_rank'] is None:
            shapes[f'{name}.q_proj.weight'] = (H * (nope + turning), C)
        else:
            Q = c['q_lora_rank']
            shapes |= {f'{name}.q_a_proj.weight': (Q, C), f'{name}.q_a_layernorm.weight': (Q,),
                       f'{name}.q_b_proj.weight': (H * (nope + turning), Q)}
        shapes |= {f'{name}.kv_a_proj_with_mqa.weight': (rank + turning, C), f'{name}.kv_a_layernorm.weight': (rank,),
                   f'{name}.kv_b_proj.weight': (H * (nope + value), rank), f'{name}.o_proj.weight': (C, H * value),
                   f'{layer}.input_layernorm.weight': (C,), f'{layer}.post_attention_layernorm.weight': (C,)}
        if i < c['first_k_dense_replace']:
            shapes |= block(f'{layer}.mlp', c['intermediate_size'])
            continue
        shapes[f'{layer}.mlp.gate.weight'] = (c['n_routed_experts'], C)
        for e in range(c['n_routed_experts']):
            shapes |= block(f'{layer}.mlp.experts.{e}', c['moe_intermediate_size'])
        shapes |= block(f'{layer}.mlp.shared_experts', c['moe_intermediate_size'] * c['n_shared_experts'])
    return shapes


DEEPSEEK = dict(
    model_type='deepseek_v2', vocab_size=VOCAB, hidden_size=24, intermediate_size=28, moe_intermediate_size=10,
    num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4, q_lora_rank=None, kv_lora_rank=12,
    qk_nope_head_dim=5, qk_rope_head_dim=4, v_head_dim=7, n_routed_experts=6, num_experts_per_tok=2, n_shared_experts=2,
    first_k_dense_replace=1, moe_layer_freq=1, routed_scaling_factor=1.0, norm_topk_prob=False, topk_method='greedy',
    n_group=1, topk_group=1, scoring_func='softmax', aux_loss_alpha=0.001, seq_aux=True, rms_norm_eps=1e-5,
    rope_theta=10000.0, max_position_embeddings=64, attention_bias=False, hidden_act='silu', bos_token_id=1, eos_token_id=2)
YARN = dict(type='yarn', factor=8, original_max_position_embeddings=16, beta_fast=4, beta_slow=1, mscale=1.0,
            mscale_all_dim=0.707)


# Phi-3 (https://arxiv.org/abs/2404.14219) with longrope, and Llama with dynamic scaling

def phi3(c, w, ids, real):
    H, K, D, tokens = c['num_attention_heads'], c['num_key_value_heads'], c['hidden_size'] // c['num_attention_heads'], ids.shape[1]
    rope, original = c['rope_scaling'], c['original_max_position_embeddings']
    factors = rope['long_factor'] if tokens > original else rope['short_factor']
    frequencies = wavelengths(int(D * c['partial_rotary_factor']), c['rope_theta']) / torch.tensor(factors, dtype=torch.float64)
    scale = math.sqrt(1 + math.log(c['max_position_embeddings'] / original) / math.log(original))
    x, mask = embed(c, w['model.embed_tokens.weight'], ids), causal_mask(real)
    for i in range(c['num_hidden_layers']):
        name = f'model.layers.{i}'
        stacked = rms(x, w[f'{name}.input_layernorm.weight'], c['rms_norm_eps']) @ w[f'{name}.self_attn.qkv_proj.weight'].T
        q, k, v = stacked.split((H * D, K * D, K * D), -1)
        q, k = rotate(heads(q, H), frequencies, scale), rotate(heads(k, K), frequencies, scale)
        x = x + attention(q, k, heads(v, K), mask, D ** -0.5) @ w[f'{name}.self_attn.o_proj.weight'].T
        normed = rms(x, w[f'{name}.post_attention_layernorm.weight'], c['rms_norm_eps'])
        gate, up = (normed @ w[f'{name}.mlp.gate_up_proj.weight'].T).chunk(2, -1)
        x = x + (F.silu(gate) * up) @ w[f'{name}.mlp.down_proj.weight'].T
    return rms(x, w['model.norm.weight'], c['rms_norm_eps']) @ w['lm_head.weight'].T


def phi3_shapes(c):
    C, F_, K = c['hidden_size'], c['intermediate_size'], c['num_key_value_heads']
    shapes = {'model.embed_tokens.weight': (VOCAB, C), 'model.norm.weight': (C,), 'lm_head.weight': (VOCAB, C)}
    for i in range(c['num_hidden_layers']):
        name = f'model.layers.{i}'
        shapes |= {f'{name}.self_attn.qkv_proj.weight': (C + 2 * K * (C // c['num_attention_heads']), C),
                   f'{name}.self_attn.o_proj.weight': (C, C), f'{name}.mlp.gate_up_proj.weight': (2 * F_, C),
                   f'{name}.mlp.down_proj.weight': (C, F_), f'{name}.input_layernorm.weight': (C,),
                   f'{name}.post_attention_layernorm.weight': (C,)}
    return shapes


PHI3 = dict(
    model_type='phi3', vocab_size=VOCAB, hidden_size=32, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, sliding_window=None,
    partial_rotary_factor=0.5, pad_token_id=0, bos_token_id=1, eos_token_id=2, original_max_position_embeddings=5,
    rope_scaling=dict(type='longrope', short_factor=[1.0, 1.2], long_factor=[1.7, 6.0]))


def llama_states(c, w, ids, real, prefix='model'):
    H, K, D, tokens = c['num_attention_heads'], c['num_key_value_heads'], c['hidden_size'] // c['num_attention_heads'], ids.shape[1]
    theta, rope = c['rope_theta'], c.get('rope_scaling')
    if rope and tokens > c['max_position_embeddings']:  # transformers' "dynamic"
        stretched = rope['factor'] * tokens / c['max_position_embeddings'] - (rope['factor'] - 1)
        theta *= stretched ** (D / (D - 2))
    frequencies = wavelengths(D, theta)
    x, mask = embed(c, w[f'{prefix}.embed_tokens.weight'], ids), causal_mask(real)
    for i in range(c['num_hidden_layers']):
        name = f'{prefix}.layers.{i}'
        normed = rms(x, w[f'{name}.input_layernorm.weight'], c['rms_norm_eps'])
        q, k, v = (normed @ w[f'{name}.self_attn.{part}_proj.weight'].T for part in 'qkv')
        q, k = rotate(heads(q, H), frequencies), rotate(heads(k, K), frequencies)
        x = x + attention(q, k, heads(v, K), mask, D ** -0.5) @ w[f'{name}.self_attn.o_proj.weight'].T
        x = x + swiglu(w, f'{name}.mlp', rms(x, w[f'{name}.post_attention_layernorm.weight'], c['rms_norm_eps']))
    return rms(x, w[f'{prefix}.norm.weight'], c['rms_norm_eps'])


def llama(c, w, ids, real):
    return llama_states(c, w, ids, real) @ w['lm_head.weight'].T


def llama_shapes(c, *more, prefix='model'):
    C, F_ = c['hidden_size'], c['intermediate_size']
    kv = C // c['num_attention_heads'] * c['num_key_value_heads']
    shapes = {f'{prefix}.embed_tokens.weight': (VOCAB, C), f'{prefix}.norm.weight': (C,)}
    for i in range(c['num_hidden_layers']):
        name = f'{prefix}.layers.{i}'
        shapes |= {f'{name}.self_attn.q_proj.weight': (C, C), f'{name}.self_attn.k_proj.weight': (kv, C),
                   f'{name}.self_attn.v_proj.weight': (kv, C), f'{name}.self_attn.o_proj.weight': (C, C),
                   f'{name}.mlp.gate_proj.weight': (F_, C), f'{name}.mlp.up_proj.weight': (F_, C),
                   f'{name}.mlp.down_proj.weight': (C, F_), f'{name}.input_layernorm.weight': (C,),
                   f'{name}.post_attention_layernorm.weight': (C,)}
    return shapes | dict(more)


LLAMA = dict(
    model_type='llama', vocab_size=VOCAB, hidden_size=24, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=64, rms_norm_eps=1e-5, rope_theta=10000.0, pad_token_id=0,
    bos_token_id=1, eos_token_id=2)
DYNAMIC = dict(LLAMA, max_position_embeddings=5, rope_scaling=dict(rope_type='dynamic', factor=2.0))


def llama_tokens(c, w, ids, real):
    return llama_states(c, w, ids, real) @ w['score.weight'].T + w['score.bias']


def llama_span(c, w, ids, real):
    return llama_states(c, w, ids, real, 'transformer') @ w['qa_outputs.weight'].T + w['qa_outputs.bias']


# BART (https://arxiv.org/abs/1910.13461) and T5 (https://arxiv.org/abs/1910.10683) with a head over the decoder's states

def shift_right(c, ids):
    return torch.cat((torch.full_like(ids[:, :1], c['decoder_start_token_id']), ids[:, :-1]), 1)


def at_end(c, states, ids):
    """The state at the last end token, which is each text's last real one."""
    return states[torch.arange(len(ids)), ids.eq(c['eos_token_id']).int().cumsum(1).argmax(1)]


def everywhere(real, tokens):
    return real[:, None, None, :].expand(-1, 1, tokens, -1)


def affine(w, name, x):
    return x @ w[f'{name}.weight'].T + w[f'{name}.bias']


def bart_attention(w, name, x, memory, mask, count):
    q, k, v = (heads(affine(w, f'{name}.{part}_proj', each), count) for part, each in (('q', x), ('k', memory), ('v', memory)))
    return affine(w, f'{name}.out_proj', attention(q, k, v, mask, q.shape[-1] ** -0.5))


def bart_stack(c, w, side, ids, mask, memory=None, memory_mask=None):
    def norm(x, name):
        return F.layer_norm(x, x.shape[-1:], w[f'{name}.weight'], w[f'{name}.bias'])

    count, name = c[f'{side}_attention_heads'], f'model.{side}'
    x = embed(c, w['model.shared.weight'], ids) + w[f'{name}.embed_positions.weight'][2:ids.shape[1] + 2]
    x = norm(x, f'{name}.layernorm_embedding')
    for i in range(c[f'{side}_layers']):
        layer = f'{name}.layers.{i}'
        x = norm(x + bart_attention(w, f'{layer}.self_attn', x, x, mask, count), f'{layer}.self_attn_layer_norm')
        if memory is not None:
            attended = bart_attention(w, f'{layer}.encoder_attn', x, memory, memory_mask, count)
            x = norm(x + attended, f'{layer}.encoder_attn_layer_norm')
        x = norm(x + affine(w, f'{layer}.fc2', F.gelu(affine(w, f'{layer}.fc1', x))), f'{layer}.final_layer_norm')
    return x


def bart_states(c, w, ids, real):
    memory = bart_stack(c, w, 'encoder', ids, everywhere(real, ids.shape[1]))
    all_real = torch.ones_like(real)  # the decoder is told of no padding
    return bart_stack(c, w, 'decoder', shift_right(c, ids), causal_mask(all_real), memory, everywhere(real, ids.shape[1]))


def bart_text(c, w, ids, real):
    pooled = at_end(c, bart_states(c, w, ids, real), ids)
    return affine(w, 'classification_head.out_proj', affine(w, 'classification_head.dense', pooled).tanh())


def bart_span(c, w, ids, real):
    return affine(w, 'qa_outputs', bart_states(c, w, ids, real))


def bart_shapes(c, *more):
    C = c['d_model']
    shapes = {'model.shared.weight': (VOCAB, C)}

    def layer(name, out, inner):
        shapes.update({f'{name}.weight': (out, inner), f'{name}.bias': (out,)})

    def norm(name):
        shapes.update({f'{name}.weight': (C,), f'{name}.bias': (C,)})

    for side in ('encoder', 'decoder'):
        name = f'model.{side}'
        shapes[f'{name}.embed_positions.weight'] = (c['max_position_embeddings'] + 2, C)
        norm(f'{name}.layernorm_embedding')
        for i in range(c[f'{side}_layers']):
            for each in ('self_attn', 'encoder_attn')[:1 + (side == 'decoder')]:
                for part in ('k', 'v', 'q', 'out'):
                    layer(f'{name}.layers.{i}.{each}.{part}_proj', C, C)
                norm(f'{name}.layers.{i}.{each}_layer_norm')
            layer(f'{name}.layers.{i}.fc1', c[f'{side}_ffn_dim'], C)
            layer(f'{name}.layers.{i}.fc2', C, c[f'{side}_ffn_dim'])
            norm(f'{name}.layers.{i}.final_layer_norm')
    return shapes | dict(more)


BART = dict(
    model_type='bart', vocab_size=VOCAB, d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
    decoder_attention_heads=4, encoder_ffn_dim=20, decoder_ffn_dim=28, max_position_embeddings=16, dropout=0.0,
    attention_dropout=0.0, activation_dropout=0.0, is_encoder_decoder=True, pad_token_id=0, bos_token_id=1, eos_token_id=2,
    decoder_start_token_id=2)


def t5_bucket(distance, bidirectional, buckets, furthest):
    """distance: key minus query, [T, S]."""
    offset = torch.zeros_like(distance)
    if bidirectional:
        buckets //= 2
        offset, away = (distance > 0) * buckets, distance.abs()
    else:
        away = (-distance).clamp(min=0)
    exact = buckets // 2
    grown = exact + (torch.log(away.float() / exact) / math.log(furthest / exact) * (buckets - exact)).long()
    return offset + torch.where(away < exact, away, grown.clamp(max=buckets - 1))


def t5_stack(c, w, side, ids, mask, memory=None, memory_mask=None):
    H, T, name = c['num_heads'], ids.shape[1], f'transformer.{side}'
    distance = torch.arange(T)[None, :] - torch.arange(T)[:, None]
    buckets = t5_bucket(distance, memory is None, c['relative_attention_num_buckets'], c['relative_attention_max_distance'])
    bias = w[f'{name}.block.0.layer.0.SelfAttention.relative_attention_bias.weight'][buckets].permute(2, 0, 1)

    def attend(layer, x, source, seen, added):
        q, k, v = (heads(each @ w[f'{layer}.{part}.weight'].T, H) for part, each in (('q', x), ('k', source), ('v', source)))
        scores = (q @ k.transpose(-1, -2) + added).masked_fill(~seen, -1e30)
        return (scores.softmax(-1) @ v).transpose(1, 2).flatten(2) @ w[f'{layer}.o.weight'].T

    x = w['transformer.shared.weight'][ids]
    for i in range(c['num_layers']):
        layer = f'{name}.block.{i}.layer'
        normed = rms(x, w[f'{layer}.0.layer_norm.weight'])
        x = x + attend(f'{layer}.0.SelfAttention', normed, normed, mask, bias)
        if memory is not None:
            x = x + attend(f'{layer}.1.EncDecAttention', rms(x, w[f'{layer}.1.layer_norm.weight']), memory, memory_mask, 0)
        last = f'{layer}.{1 if memory is None else 2}'
        hidden = F.relu(rms(x, w[f'{last}.layer_norm.weight']) @ w[f'{last}.DenseReluDense.wi.weight'].T)
        x = x + hidden @ w[f'{last}.DenseReluDense.wo.weight'].T
    return rms(x, w[f'{name}.final_layer_norm.weight'])


def t5_text(c, w, ids, real):
    memory = t5_stack(c, w, 'encoder', ids, everywhere(real, ids.shape[1]))
    states = t5_stack(c, w, 'decoder', shift_right(c, ids), causal_mask(torch.ones_like(real)), memory, everywhere(real, ids.shape[1]))
    pooled = at_end(c, states, ids)
    return affine(w, 'classification_head.out_proj', affine(w, 'classification_head.dense', pooled).tanh())


def t5_shapes(c, *more):
    C, inner, F_ = c['d_model'], c['num_heads'] * c['d_kv'], c['d_ff']
    shapes = {'transformer.shared.weight': (VOCAB, C)}
    for side in ('encoder', 'decoder'):
        name = f'transformer.{side}'
        shapes[f'{name}.final_layer_norm.weight'] = (C,)
        shapes[f'{name}.block.0.layer.0.SelfAttention.relative_attention_bias.weight'] = (c['relative_attention_num_buckets'], c['num_heads'])
        for i in range(c['num_layers']):
            kinds = ['SelfAttention', 'EncDecAttention'][:1 + (side == 'decoder')]
            for n, kind in enumerate(kinds):
                layer = f'{name}.block.{i}.layer.{n}'
                shapes |= {f'{layer}.{kind}.{part}.weight': (inner, C) for part in 'qkv'}
                shapes |= {f'{layer}.{kind}.o.weight': (C, inner), f'{layer}.layer_norm.weight': (C,)}
            layer = f'{name}.block.{i}.layer.{len(kinds)}'
            shapes |= {f'{layer}.DenseReluDense.wi.weight': (F_, C), f'{layer}.DenseReluDense.wo.weight': (C, F_),
                       f'{layer}.layer_norm.weight': (C,)}
    return shapes | dict(more)


T5 = dict(
    model_type='t5', vocab_size=VOCAB, d_model=24, d_kv=5, d_ff=20, num_layers=2, num_decoder_layers=2, num_heads=4,
    relative_attention_num_buckets=8, relative_attention_max_distance=6, feed_forward_proj='relu', dropout_rate=0.0,
    is_encoder_decoder=True, pad_token_id=0, eos_token_id=2, decoder_start_token_id=0)
HEAD = [('classification_head.dense.weight', (24, 24)), ('classification_head.dense.bias', (24,)),
        ('classification_head.out_proj.weight', (3, 24)), ('classification_head.out_proj.bias', (3,))]

CLASSIFIER = [('classifier.weight', (3, 24)), ('classifier.bias', (3,))]
LABELS = dict(id2label={str(i): f'LABEL_{i}' for i in range(3)}, label2id={f'LABEL_{i}': i for i in range(3)})
CASES = {  # name: class, config, shapes, function, kind of labels
    'modernbert_mlm': ('ModernBertForMaskedLM', MODERNBERT, modernbert_shapes(MODERNBERT, ('decoder.bias', (VOCAB,))), modernbert_mlm, 'vocabulary'),
    'modernbert_text': ('ModernBertForSequenceClassification', MODERNBERT | LABELS, modernbert_shapes(MODERNBERT, *CLASSIFIER), modernbert_text, 'text'),
    'modernbert_text_mean': ('ModernBertForSequenceClassification', MODERNBERT | LABELS | dict(classifier_pooling='mean'), modernbert_shapes(MODERNBERT, *CLASSIFIER), modernbert_text, 'text'),
    'modernbert_tokens': ('ModernBertForTokenClassification', MODERNBERT | LABELS, modernbert_shapes(MODERNBERT, *CLASSIFIER), modernbert_tokens, 'tokens'),
    'modernbert_span': ('ModernBertForQuestionAnswering', MODERNBERT, modernbert_shapes(MODERNBERT, ('classifier.weight', (2, 24)), ('classifier.bias', (2,))), modernbert_tokens, 'span'),
    'deepseek_v2_lite': ('DeepseekV2ForCausalLM', DEEPSEEK | dict(rope_scaling=YARN), None, deepseek, 'next'),
    'deepseek_v2': ('DeepseekV2ForCausalLM', DEEPSEEK | dict(q_lora_rank=10, topk_method='group_limited_greedy', n_group=3, topk_group=2, routed_scaling_factor=2.5), None, deepseek, 'next'),
    'deepseek_v2_normed': ('DeepseekV2ForCausalLM', DEEPSEEK | dict(norm_topk_prob=True, num_experts_per_tok=3), None, deepseek, 'next'),
    'phi3_longrope': ('Phi3ForCausalLM', PHI3, phi3_shapes(PHI3), phi3, 'next'),
    'llama_dynamic': ('LlamaForCausalLM', DYNAMIC, llama_shapes(DYNAMIC, ('lm_head.weight', (VOCAB, 24))), llama, 'next'),
    'llama_tokens': ('LlamaForTokenClassification', LLAMA | LABELS, llama_shapes(LLAMA, ('score.weight', (3, 24)), ('score.bias', (3,))), llama_tokens, 'tokens'),
    'bart_text': ('BartForSequenceClassification', BART | LABELS, bart_shapes(BART, *HEAD), bart_text, 'text'),
    'bart_qa': ('BartForQuestionAnswering', BART, bart_shapes(BART, ('qa_outputs.weight', (2, 24)), ('qa_outputs.bias', (2,))), bart_span, 'span'),
    't5_text': ('T5ForSequenceClassification', T5 | LABELS, t5_shapes(T5, *HEAD), t5_text, 'text'),
    'llama_span': ('LlamaForQuestionAnswering', LLAMA, llama_shapes(LLAMA, ('qa_outputs.weight', (2, 24)), ('qa_outputs.bias', (2,)), prefix='transformer'), llama_span, 'span'),
}


def new_weight(name, shape):
    if len(shape) > 1:
        return torch.randn(shape) * 0.25
    return torch.randn(shape) * 0.2 + (1 if name.endswith('weight') else 0)


def loss_of(kind, logits, labels):
    if kind == 'span':
        ends = (F.cross_entropy(logits[..., end], labels[name]) for end, name in enumerate(('start_positions', 'end_positions')))
        return sum(ends) / 2
    if kind == 'next':
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), labels['labels'][:, 1:].flatten())
    return F.cross_entropy(logits.flatten(0, -2), labels['labels'].flatten())


def new_labels(kind, ids, real):
    if kind == 'span':
        return dict(start_positions=torch.tensor([2, 1]), end_positions=torch.tensor([5, 3]))
    if kind == 'text':
        return dict(labels=torch.tensor([2, 0]))
    labels = torch.randint(0, 3, ids.shape) if kind == 'tokens' else ids
    return dict(labels=labels.masked_fill(~real, -100))


def write_safetensors(path, tensors):
    header, data = {'__metadata__': {'format': 'pt'}}, b''
    for name, tensor in tensors.items():
        raw = tensor.detach().contiguous().numpy().tobytes()
        header[name] = dict(dtype={torch.float32: 'F32', torch.int32: 'I32'}[tensor.dtype], shape=list(tensor.shape),
                            data_offsets=[len(data), len(data) + len(raw)])
        data += raw
    text = json.dumps(header).encode()
    text += b' ' * (-len(text) % 8)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(text)) + text + data)


def generate(config, weights, run, prompt):
    for _ in range(10):
        with torch.no_grad():
            logits = run(config, weights, prompt, torch.ones_like(prompt, dtype=torch.bool))
        prompt = torch.cat((prompt, logits[:, -1:].argmax(-1)), 1)
    return prompt


def make(name):
    torch.manual_seed(sum(map(ord, name)))
    architecture, config, shapes, run, kind = CASES[name]
    shapes = shapes or deepseek_shapes(config)
    weights = {key: new_weight(key, shape).requires_grad_() for key, shape in shapes.items()}
    ids = torch.randint(3, VOCAB, (ROWS, TOKENS))
    real = torch.ones(ROWS, TOKENS, dtype=torch.bool)
    real[1, 5:] = False  # with a window of 2 on each side, each place sees a token, and no convention about none is needed
    ids[1, 5:] = 0
    if config.get('is_encoder_decoder'):
        ids[0, -1] = ids[1, 4] = config['eos_token_id']  # texts end
    labels = new_labels(kind, ids, real)
    logits = run(config, weights, ids, real)
    loss = loss_of(kind, logits, labels)
    loss.backward()
    tensors = {'input_ids': ids.int(), 'attention_mask': real.int(), **{key: value.int() for key, value in labels.items()},
               'loss': loss.reshape(1), 'logits': logits}
    for key, weight in weights.items():
        if weight.grad is not None and (key.endswith('bias') or 'embed' in key or '.0.' in key or '.2.' in key or weight.dim() == 1):
            tensors[f'grad.{key}'] = weight.grad
    if kind == 'next' and config.get('rope_scaling', {}).get('rope_type') != 'dynamic':  # whose cache turns by older lengths
        tensors['generated'] = generate(config, weights, run, ids[:1]).int()
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    with open(f'{folder}/config.json', 'w') as file:
        json.dump(dict(architectures=[architecture], **config, dtype='float32'), file, indent=2)
        file.write('\n')
    write_safetensors(f'{folder}/model.safetensors', weights)
    write_safetensors(f'{folder}/tensors.safetensors', tensors)


for case in sys.argv[1:] or CASES:
    make(case)
