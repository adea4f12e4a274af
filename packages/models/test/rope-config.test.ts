import { ConfigError, gptNeoXConfig, llamaConfig, phi3Config } from '@burin/models';
import { describe, expect, it } from 'vitest';

const SIZES = {
  ...{ vocab_size: 37, hidden_size: 24, intermediate_size: 20, num_hidden_layers: 2, num_attention_heads: 4 },
  max_position_embeddings: 64,
};
const llama = (change: object) => llamaConfig({ model_type: 'llama', ...SIZES, ...change }, 'f.json');
const scaling = (rope: object) => llama({ rope_scaling: rope }).ropeScaling;
const phi = (change: object) => phi3Config({ model_type: 'phi3', ...SIZES, hidden_size: 32, ...change }, 'f.json');
const neox = (change: object) =>
  gptNeoXConfig({ model_type: 'gpt_neox', ...SIZES, hidden_size: 32, ...change }, 'f.json');

describe('how a Llama is stretched', () => {
  it('linear and default, by either name of the key', () => {
    expect(scaling({ rope_type: 'linear', factor: 2 })).toEqual({ type: 'linear', factor: 2 });
    expect(scaling({ type: 'linear', factor: 2 })).toEqual({ type: 'linear', factor: 2 });
    expect(scaling({ rope_type: 'default' })).toBeNull();
  });

  it('llama3', () => {
    const keys = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 16 };
    expect(scaling({ rope_type: 'llama3', factor: 4, ...keys })).toEqual({
      ...{ type: 'llama3', factor: 4, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 16 },
    });
  });

  it('dynamic, which makes room for longer texts', () => {
    const config = llama({ rope_scaling: { type: 'dynamic', factor: 2.5 } });
    expect(config.ropeScaling).toEqual({ type: 'dynamic', factor: 2.5, originalMaxPositionEmbeddings: 64 });
    expect(config.maxPositionEmbeddings).toBe(160);
    expect(llama({ rope_scaling: { type: 'dynamic', factor: 0.5 } }).maxPositionEmbeddings).toBe(64);
  });

  it('linear and yarn, which make room too where max_position_embeddings is still that of training', () => {
    const room = (rope: object) => llama({ rope_scaling: rope }).maxPositionEmbeddings;
    expect(room({ type: 'linear', factor: 2.5 })).toBe(160);
    expect(room({ type: 'linear', factor: 0.5 })).toBe(64);
    expect(room({ type: 'yarn', factor: 4 })).toBe(256);
    expect(room({ type: 'yarn', factor: 4, original_max_position_embeddings: 64 })).toBe(256); // as Qwen2.5 is stretched
    expect(room({ type: 'yarn', factor: 4, original_max_position_embeddings: 16 })).toBe(64); // as DeepSeek-V2
    expect(room({ type: 'yarn', factor: 2, original_max_position_embeddings: 16 })).toBe(64);
    const keys = { low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 32 };
    expect(room({ type: 'llama3', factor: 8, ...keys })).toBe(64); // as Llama 3.2, which counts it already
  });

  it('yarn, with its factor on cosine and sine: given, or the ratio of two', () => {
    const plain = { type: 'yarn', factor: 4, originalMaxPositionEmbeddings: 64, betaFast: 32, betaSlow: 1 };
    expect(scaling({ rope_type: 'yarn', factor: 4, attention_factor: 0.5 })).toEqual({
      ...plain,
      attentionFactor: 0.5,
    });
    expect(scaling({ rope_type: 'yarn', factor: 4, mscale: 1 })).toEqual(plain);
    expect(scaling({ rope_type: 'yarn', factor: 4, truncate: false })).toEqual({ ...plain, truncate: false });
    expect(scaling({ rope_type: 'yarn', factor: 4, mscale: 2, mscale_all_dim: 0.5 })).toEqual({
      ...plain,
      attentionFactor: (0.2 * Math.log(4) + 1) / (0.05 * Math.log(4) + 1),
    });
    expect(scaling({ rope_type: 'yarn', factor: 0.5, mscale: 2, mscale_all_dim: 1 })).toMatchObject({
      attentionFactor: 1,
    });
  });

  it('rope_parameters, as transformers 5 writes it', () => {
    expect(llama({ rope_parameters: { rope_type: 'linear', factor: 2, rope_theta: 500 } })).toMatchObject({
      ...{ ropeTheta: 500, ropeScaling: { type: 'linear', factor: 2 } },
    });
    for (const rope of [{ rope_type: 'default' }, {}, { rope_theta: 7 }]) {
      expect(llama({ rope_theta: 7, rope_parameters: rope })).toMatchObject({ ropeTheta: 7, ropeScaling: null });
    }
  });

  it.each<[object, string]>([
    [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor = 0.5 is not supported'],
    [{ rope_scaling: 'linear' }, 'f.json: rope_scaling: expected a JSON object, got "linear"'],
    [
      { rope_scaling: { rope_type: 'ntk', factor: 2 } },
      'f.json: rope_scaling: rope_type must be one of default, linear, dynamic, llama3, yarn, longrope, got "ntk"',
    ],
    [{ rope_scaling: { factor: 2 } }, 'rope_scaling: rope_type must be one of default, linear'],
    [{ rope_scaling: { rope_type: 'linear' } }, 'rope_scaling: factor must be a number greater than 0, got nothing'],
    [
      { rope_scaling: { rope_type: 'dynamic', factor: 2, original_max_position_embeddings: 32 } },
      'rope_scaling: original_max_position_embeddings = 32 is not supported, and without it the numbers would differ',
    ],
    [
      { hidden_size: 8, rope_scaling: { rope_type: 'dynamic', factor: 2 } },
      'rope_scaling: rope_type must be another one where two elements of a head turn, got "dynamic"',
    ],
    [
      { rope_scaling: { rope_type: 'longrope', factor: 2, short_factor: [1, 1], long_factor: [2, 2, 2] } },
      'rope_scaling: short_factor must be a list of 3 numbers greater than 0, one for each pair that turns, ' +
        'got an array of 2',
    ],
  ])('refuses %j', (change, message) => {
    expect(() => llama(change)).toThrow(ConfigError);
    expect(() => llama(change)).toThrow(message);
  });
});

describe('how a Phi-3 turns', () => {
  const [short_factor, long_factor] = [
    [1, 1.5],
    [2, 8],
  ];

  it.each(['longrope', 'su', 'yarn'])(
    'in part, and stretched by a list, as %s; the length of training stands beside it',
    (type) => {
      const config = phi({
        ...{ partial_rotary_factor: 0.5, original_max_position_embeddings: 16 },
        rope_scaling: { type, short_factor, long_factor },
      });
      expect(config).toMatchObject({ partialRotaryFactor: 0.5, rotaryDim: 4, ropeTheta: 10000 });
      expect(config.ropeScaling).toEqual({
        ...{ type: 'longrope', shortFactor: short_factor, longFactor: long_factor, originalMaxPositionEmbeddings: 16 },
        attentionFactor: Math.sqrt(1 + Math.log(4) / Math.log(16)), // 64 tokens are 4 times 16
      });
    },
  );

  it('as transformers 5 writes it', () => {
    const rope = { rope_type: 'longrope', rope_theta: 500, partial_rotary_factor: 0.5, short_factor, long_factor };
    const inside = { ...rope, original_max_position_embeddings: 32, attention_factor: 1.25 };
    const config = phi({ rope_parameters: inside });
    expect(config).toMatchObject({ ropeTheta: 500, rotaryDim: 4, ropeScaling: { attentionFactor: 1.25 } });
    expect(config.ropeScaling).toMatchObject({ originalMaxPositionEmbeddings: 32 });
  });

  it('not at all is refused', () => {
    expect(() => phi({ partial_rotary_factor: 0.1 })).toThrow(
      "f.json: partial_rotary_factor must be such that an even number of a head's 8 elements turn, not 0, got 0.1",
    );
    expect(() => phi({ rope_parameters: { rope_type: 'default', partial_rotary_factor: 2 } })).toThrow(
      'f.json: rope_parameters: partial_rotary_factor must be such that an even number',
    );
  });
});

describe('how a GPT-NeoX turns', () => {
  it('by its own names, or those of transformers 5', () => {
    expect(neox({})).toMatchObject({ rotaryPct: 0.25, rotaryDim: 2, rotaryEmbBase: 10000, ropeScaling: null });
    expect(neox({ rotary_emb_base: 7, rope_scaling: { type: 'linear', factor: 3 } })).toMatchObject({
      ...{ rotaryEmbBase: 7, ropeScaling: { type: 'linear', factor: 3 } },
    });
    const rope = { rope_type: 'dynamic', factor: 2, rope_theta: 5, partial_rotary_factor: 0.5 };
    expect(neox({ rope_parameters: rope })).toMatchObject({
      ...{ rotaryPct: 0.5, rotaryEmbBase: 5, maxPositionEmbeddings: 128 },
      ropeScaling: { type: 'dynamic', factor: 2, originalMaxPositionEmbeddings: 64 },
    });
  });
});
