"""Makes the folders beside it: tiny random models, what they compute, and their gradients.

Ran with transformers 5.18.0 and PyTorch 2.13.0 on a CPU, in float32. python3 make_golden.py [NAME ...]
"""
import os
import shutil
import sys

import torch
import transformers as hf
from safetensors.torch import save_file

HERE = os.path.dirname(os.path.abspath(__file__))
SMALL = dict(vocab_size=37, hidden_size=24, num_hidden_layers=2, num_attention_heads=4, intermediate_size=20)
DECODER = dict(SMALL, max_position_embeddings=64, pad_token_id=0, bos_token_id=1, eos_token_id=2)
ENCODER = dict(SMALL, max_position_embeddings=40, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
DISTIL = dict(vocab_size=37, dim=24, n_layers=2, n_heads=4, hidden_dim=20, max_position_embeddings=40, dropout=0.0,
              attention_dropout=0.0, qa_dropout=0.0, seq_classif_dropout=0.0)
BART = dict(vocab_size=37, d_model=24, encoder_layers=2, decoder_layers=2, encoder_attention_heads=4,
            decoder_attention_heads=4, encoder_ffn_dim=20, decoder_ffn_dim=28, max_position_embeddings=40, dropout=0.0,
            pad_token_id=1, bos_token_id=0, eos_token_id=2, decoder_start_token_id=2, forced_eos_token_id=None)
NO_DROP = dict(attention_dropout=0.0, hidden_dropout=0.0)
T5 = dict(vocab_size=37, d_model=24, d_kv=5, d_ff=20, num_layers=2, num_heads=4, dropout_rate=0.0, decoder_start_token_id=0)


def with_own_head(model):
    """T5 1.1: transformers ties the head of a new one, and saves the two apart once they are."""
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    return model


CASES = {
    'bert_tokens': lambda: hf.BertForTokenClassification(hf.BertConfig(**ENCODER, num_labels=3)),
    'bert_span': lambda: hf.BertForQuestionAnswering(hf.BertConfig(**ENCODER)),
    'roberta_mlm': lambda: hf.RobertaForMaskedLM(hf.RobertaConfig(**ENCODER, pad_token_id=1)),
    'roberta_tokens': lambda: hf.RobertaForTokenClassification(hf.RobertaConfig(**ENCODER, pad_token_id=1, num_labels=3)),
    'roberta_span': lambda: hf.RobertaForQuestionAnswering(hf.RobertaConfig(**ENCODER, pad_token_id=1)),
    'distilbert_mlm': lambda: hf.DistilBertForMaskedLM(hf.DistilBertConfig(**DISTIL)),
    'distilbert_text': lambda: hf.DistilBertForSequenceClassification(hf.DistilBertConfig(**DISTIL, num_labels=3)),
    'distilbert_tokens': lambda: hf.DistilBertForTokenClassification(hf.DistilBertConfig(**DISTIL, num_labels=3)),
    'distilbert_span': lambda: hf.DistilBertForQuestionAnswering(hf.DistilBertConfig(**DISTIL)),
    'gpt2_text': lambda: hf.GPT2ForSequenceClassification(hf.GPT2Config(
        vocab_size=37, n_embd=24, n_layer=2, n_head=4, n_positions=40, num_labels=3, pad_token_id=0, **{
            key: 0.0 for key in ('embd_pdrop', 'attn_pdrop', 'resid_pdrop')})),
    'bart': lambda: hf.BartForConditionalGeneration(hf.BartConfig(**BART)),
    'bart_scaled': lambda: hf.BartForConditionalGeneration(hf.BartConfig(**BART, scale_embedding=True, activation_function='relu')),
    'qwen3': lambda: hf.Qwen3ForCausalLM(hf.Qwen3Config(**DECODER, num_key_value_heads=2, head_dim=8)),
    'gemma': lambda: hf.GemmaForCausalLM(hf.GemmaConfig(**DECODER, num_key_value_heads=1, head_dim=8)),
    'phi3': lambda: hf.Phi3ForCausalLM(hf.Phi3Config(**DECODER, num_key_value_heads=2, sliding_window=5)),
    'gpt_neox': lambda: hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(**dict(DECODER, hidden_size=32), **NO_DROP, rotary_pct=0.5)),
    'gpt_neox_serial': lambda: hf.GPTNeoXForCausalLM(hf.GPTNeoXConfig(**dict(DECODER, hidden_size=32), **NO_DROP, use_parallel_residual=False)),
    'gpt_neo': lambda: hf.GPTNeoForCausalLM(hf.GPTNeoConfig(
        vocab_size=37, hidden_size=24, num_layers=2, num_heads=4, intermediate_size=20, max_position_embeddings=40,
        attention_types=[[['global', 'local'], 1]], window_size=3, bos_token_id=1, eos_token_id=2, **{
            key: 0.0 for key in ('embed_dropout', 'attention_dropout', 'resid_dropout')})),
    't5_own_head': lambda: with_own_head(hf.T5ForConditionalGeneration(hf.T5Config(
        **T5, tie_word_embeddings=False, feed_forward_proj='gated-gelu'))),
    't5_tokens': lambda: hf.T5ForTokenClassification(hf.T5Config(**T5, num_labels=3)),
    'modernbert_biased_mlm': lambda: hf.ModernBertForMaskedLM(hf.ModernBertConfig(
        **DECODER, cls_token_id=1, sep_token_id=2, local_attention=6, global_attn_every_n_layers=2, norm_bias=True,
        attention_bias=True, mlp_bias=True)),
    'deepseek_v2_groups': lambda: hf.DeepseekV2ForCausalLM(hf.DeepseekV2Config(
        **DECODER, num_key_value_heads=4, q_lora_rank=8, kv_lora_rank=12, qk_nope_head_dim=8, qk_rope_head_dim=4,
        v_head_dim=8, moe_intermediate_size=12, n_routed_experts=4, num_experts_per_tok=2, first_k_dense_replace=1,
        n_shared_experts=1, topk_method='group_limited_greedy', n_group=2, topk_group=1, routed_scaling_factor=2.5,
        rope_parameters=dict(rope_type='yarn', rope_theta=500.0, factor=4.0, original_max_position_embeddings=16,
                             mscale=0.9, mscale_all_dim=0.7))),
    'phi3_stretched': lambda: hf.Phi3ForCausalLM(hf.Phi3Config(
        **dict(DECODER, hidden_size=32), num_key_value_heads=2, original_max_position_embeddings=5,
        rope_parameters=dict(rope_type='longrope', rope_theta=500.0, partial_rotary_factor=0.5, short_factor=[1.0, 1.2],
                             long_factor=[1.5, 4.0]))),
    'llama_yarn': lambda: hf.LlamaForCausalLM(hf.LlamaConfig(
        **DECODER, num_key_value_heads=2, attention_bias=True, mlp_bias=True, tie_word_embeddings=True,
        rope_parameters=dict(rope_type='yarn', rope_theta=500.0, factor=4.0, original_max_position_embeddings=16,
                             beta_fast=4.0, beta_slow=0.5, truncate=False))),
}


def randomise(model):
    for name, parameter in model.named_parameters():
        with torch.no_grad():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.25)
            elif name.endswith('weight'):
                parameter.normal_(0 if 'gemma' in model.config.model_type else 1, 0.2)
            else:
                parameter.normal_(0, 0.2)


def inputs(model):
    name = type(model).__name__
    ids = torch.randint(3, 37, (2, 7))
    mask = torch.ones(2, 7, dtype=torch.long)
    mask[1, 4:] = 0
    ids[1, 4:] = model.config.pad_token_id or 0
    given = dict(input_ids=ids, attention_mask=mask)
    if name.endswith('QuestionAnswering'):
        return dict(given, start_positions=torch.tensor([2, 1]), end_positions=torch.tensor([5, 3]))
    if name.endswith('SequenceClassification'):
        return dict(given, labels=torch.tensor([2, 0]))
    if name.endswith('TokenClassification'):
        return dict(given, labels=torch.randint(0, 3, (2, 7)).masked_fill(mask == 0, -100))
    if name.endswith('ConditionalGeneration'):
        return dict(given, labels=torch.randint(3, 37, (2, 5)))
    return dict(given, labels=ids.masked_fill(mask == 0, -100))


def make(name):
    torch.manual_seed(sum(map(ord, name)))
    model = CASES[name]().eval()
    randomise(model)
    given = inputs(model)
    output = model(**given)
    output.loss.backward()
    tensors = {key: value.int() for key, value in given.items()}
    tensors['loss'] = output.loss.reshape(1)
    if hasattr(output, 'start_logits'):
        tensors['logits'] = torch.stack([output.start_logits, output.end_logits], -1)
    else:
        tensors['logits'] = output.logits
    for key, parameter in model.named_parameters():
        if parameter.grad is not None and (key.endswith('bias') or 'embed' in key or '.0.' in key or parameter.dim() == 1):
            tensors[f'grad.{key}'] = parameter.grad
    if model.can_generate() and not name.endswith('mlm'):
        prompt = given['input_ids'][:1]
        tensors['generated'] = model.generate(
            prompt, attention_mask=torch.ones_like(prompt), do_sample=False, max_new_tokens=10, num_beams=1,
            eos_token_id=None, forced_eos_token_id=None).int()
    folder = os.path.join(HERE, name)
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    generation = os.path.join(folder, 'generation_config.json')
    if os.path.exists(generation):
        os.remove(generation)
    save_file({key: value.detach().contiguous().clone() for key, value in tensors.items()}, f'{folder}/tensors.safetensors')


for case in sys.argv[1:] or CASES:
    make(case)
