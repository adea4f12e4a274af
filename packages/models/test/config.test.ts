import { bertConfig, ConfigError, LlamaForCausalLM, llamaConfig } from '@burin/models';
import { describe, expect, it } from 'vitest';
import { rng, TINY, tinyBert, tinyLlama } from './support.js';

const LLAMA = {
  ...{ model_type: 'llama', vocab_size: 37, hidden_size: 24, intermediate_size: 20 },
  ...{ num_hidden_layers: 2, num_attention_heads: 4 },
};
const BERT = { ...LLAMA, model_type: 'bert' };
const llama = (change: object) => llamaConfig({ ...LLAMA, ...change }, 'f.json');
const bert = (change: object) => bertConfig({ ...BERT, ...change }, 'f.json');

describe('llamaConfig', () => {
  it('takes what transformers takes where the file is silent', () => {
    expect(llama({})).toMatchObject({
      ...{ numKeyValueHeads: 4, headDim: 6, maxPositionEmbeddings: 2048, hiddenAct: 'silu', rmsNormEps: 1e-6 },
      ...{ ropeTheta: 10000, ropeScaling: null, qkvBias: false, outputBias: false, mlpBias: false },
      ...{ attentionDropout: 0, slidingWindows: [null, null], tieWordEmbeddings: false, initializerRange: 0.02 },
      ...{ padTokenId: null, bosTokenId: null, eosTokenIds: [], numLabels: 2 },
    });
    const mistral = llama({ model_type: 'mistral', num_attention_heads: 8, hidden_size: 32 });
    expect(mistral).toMatchObject({ numKeyValueHeads: 8, maxPositionEmbeddings: 131072, slidingWindows: [4096, 4096] });
  });

  it('reads null as nothing', () => {
    expect(llama({ head_dim: null, rope_scaling: null, pad_token_id: null, eos_token_id: null })).toMatchObject({
      ...{ headDim: 6, ropeScaling: null, padTokenId: null, eosTokenIds: [] },
    });
    expect(llama({ model_type: 'mistral', num_key_value_heads: 2, sliding_window: null }).slidingWindows).toEqual([
      ...[null, null],
    ]);
  });

  it('slides the layers that Qwen2 says', () => {
    const qwen = (change: object) =>
      llama({ model_type: 'qwen2', num_key_value_heads: 2, sliding_window: 8, ...change }).slidingWindows;
    expect(qwen({})).toEqual([null, null]);
    expect(qwen({ use_sliding_window: true, max_window_layers: 1 })).toEqual([null, 8]);
    expect(qwen({ use_sliding_window: true, layer_types: ['sliding_attention', 'full_attention'] })).toEqual([8, null]);
    for (const layer_types of [['full_attention'], ['full_attention', 'chunked_attention']]) {
      expect(() => qwen({ layer_types })).toThrow(
        "layer_types must be 'full_attention' or 'sliding_attention' for each of the 2 layers, got an array of ",
      );
    }
  });

  it('takes end tokens one or many, and labels by their names', () => {
    expect(llama({ eos_token_id: 2 }).eosTokenIds).toEqual([2]);
    expect(llama({ eos_token_id: [2, 5] }).eosTokenIds).toEqual([2, 5]);
    expect(llama({ id2label: { 0: 'ham', 1: 'spam', 2: 'eggs' }, num_labels: 2 }).numLabels).toBe(3);
    expect(llama({ num_labels: 4 }).numLabels).toBe(4);
  });

  it.each<[object, string]>([
    [{ vocab_size: undefined }, 'f.json: vocab_size must be a whole number from 1 to 2147483647, got nothing'],
    [{ vocab_size: '37' }, 'f.json: vocab_size must be a whole number from 1 to 2147483647, got "37"'],
    [{ hidden_size: 24.5 }, 'f.json: hidden_size must be a whole number from 1 to 2147483647, got 24.5'],
    [{ intermediate_size: 2 ** 31 }, 'intermediate_size must be a whole number from 1 to 2147483647, got 2147483648'],
    [{ num_attention_heads: 5 }, 'f.json: num_attention_heads must be a divisor of hidden_size 24, got 5'],
    [{ num_key_value_heads: 3 }, 'f.json: num_key_value_heads must be a divisor of num_attention_heads 4, got 3'],
    [{ head_dim: 5 }, 'f.json: head_dim must be such that a head has an even number of elements'],
    [{ num_attention_heads: 8 }, 'elements, which turn in pairs, not 3, got 24'],
    [{ num_hidden_layers: 1e9 }, 'f.json: num_hidden_layers must be at most 10000, got 1000000000'],
    [{ hidden_act: 'sine' }, 'f.json: hidden_act must be one of relu, gelu, gelu_new'],
    [{ rms_norm_eps: 0 }, 'f.json: rms_norm_eps must be a number greater than 0, got 0'],
    [{ rope_theta: -1 }, 'f.json: rope_theta must be a number greater than 0, got -1'],
    [{ attention_dropout: 1 }, 'f.json: attention_dropout must be a number in [0, 1), got 1'],
    [{ initializer_range: -1 }, 'f.json: initializer_range must be a number of 0 or more, got -1'],
    [{ attention_bias: 'no' }, 'f.json: attention_bias must be true or false, got "no"'],
    [{ eos_token_id: [2, -1] }, 'f.json: eos_token_id must be a token id or a list of them, got an array of 2'],
    [{ id2label: {} }, 'f.json: id2label must be an object with a name for each class, got an object'],
    [{ pretraining_tp: 2 }, 'f.json: pretraining_tp = 2 is not supported, and without it the numbers would differ'],
    [{ model_type: 'gpt2' }, 'f.json: model_type must be one of llama, mistral, qwen2, qwen3, gemma, got "gpt2"'],
  ])('refuses %j', (change, message) => {
    expect(() => llama(change)).toThrow(ConfigError);
    expect(() => llama(change)).toThrow(message);
  });

  it('refuses what is no object, and a member of the family that was not expected', () => {
    expect(() => llamaConfig([], 'f.json')).toThrow('f.json: expected a JSON object, got an array of 0');
    expect(() => llamaConfig(LLAMA, 'f.json', 'mistral')).toThrow(
      'f.json: model_type must be one of mistral, got "llama"',
    );
  });
});

describe('bertConfig', () => {
  it('takes what transformers takes where the file is silent', () => {
    expect(bert({})).toMatchObject({
      ...{ hiddenAct: 'gelu', hiddenDropoutProb: 0.1, attentionProbsDropoutProb: 0.1, classifierDropout: 0.1 },
      ...{ maxPositionEmbeddings: 512, typeVocabSize: 2, layerNormEps: 1e-12, padTokenId: 0, tieWordEmbeddings: true },
    });
    expect(bert({ hidden_dropout_prob: 0.3, classifier_dropout: null }).classifierDropout).toBe(0.3);
  });

  it.each<[object, string]>([
    [{ position_embedding_type: 'relative_key' }, 'f.json: position_embedding_type = "relative_key" is not supported'],
    [
      { is_decoder: true },
      'f.json: is_decoder = true is not supported, and without it the numbers would differ: expected false',
    ],
    [{ model_type: 'roberta' }, 'f.json: model_type = "roberta" is not supported'],
    [{ num_attention_heads: 5 }, 'f.json: num_attention_heads must be a divisor of hidden_size 24, got 5'],
    [{ num_hidden_layers: 1e6 }, 'f.json: num_hidden_layers must be at most 10000, got 1000000'],
    [{ hidden_dropout_prob: 2 }, 'f.json: hidden_dropout_prob must be a number in [0, 1), got 2'],
  ])('refuses %j', (change, message) => {
    expect(() => bert(change)).toThrow(ConfigError);
    expect(() => bert(change)).toThrow(message);
  });
});

describe('options in code', () => {
  it('are config.json’s keys in camelCase', () => {
    const scaling = {
      type: 'llama3',
      factor: 4,
      lowFreqFactor: 1,
      highFreqFactor: 4,
      originalMaxPositionEmbeddings: 16,
    };
    const model = tinyLlama({
      ropeScaling: scaling as { type: 'llama3' } & typeof scaling,
      eosTokenId: [2],
      attentionBias: true,
    });
    expect(model.rawConfig).toMatchObject({
      ...{ model_type: 'llama', num_key_value_heads: 2, eos_token_id: [2], attention_bias: true },
      rope_scaling: {
        ...{ rope_type: 'llama3', factor: 4, low_freq_factor: 1, high_freq_factor: 4 },
        original_max_position_embeddings: 16,
      },
    });
    expect(model.config.ropeScaling).toEqual(scaling);
    expect(tinyLlama({ modelType: 'mistral', slidingWindow: 3 }).config.slidingWindows).toEqual([3, 3]);
    expect(tinyBert().rawConfig).toMatchObject({ model_type: 'bert', num_labels: 3 });
  });

  it('are refused like a file’s, with the name of who was called', () => {
    expect(() => LlamaForCausalLM.create({ ...TINY, numAttentionHeads: 5 }, { rng: rng() })).toThrow(
      'LlamaForCausalLM.create: num_attention_heads must be a divisor of hidden_size 24, got 5',
    );
    expect(() => tinyBert({ hiddenDropoutProb: 1 })).toThrow(
      'BertForSequenceClassification.create: hidden_dropout_prob',
    );
  });
});
