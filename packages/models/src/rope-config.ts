import type { RotaryScaling } from '@burin/nn';
import { ConfigReader } from './config-reader.js';

const TYPES = ['default', 'linear', 'llama3', 'yarn'] as const;

/**
 * How config.json says that positions turn: `rope_theta` and `rope_scaling`, or, as transformers 5 writes it, both in
 * `rope_parameters`.
 *
 * @throws ConfigError that names the key
 */
export function ropeConfig(config: ConfigReader): { ropeTheta: number; ropeScaling: RotaryScaling | null } {
  config.expect('partial_rotary_factor', 1);
  const key = config.has('rope_parameters') ? 'rope_parameters' : 'rope_scaling';
  if (!config.has(key)) return { ropeTheta: config.positive('rope_theta', 10000), ropeScaling: null };
  const rope = new ConfigReader(config.raw[key], `${config.where}: ${key}`);
  rope.expect('partial_rotary_factor', 1);
  const ropeTheta = rope.positive('rope_theta', config.positive('rope_theta', 10000));
  return { ropeTheta, ropeScaling: ropeScaling(rope, config) };
}

function ropeScaling(rope: ConfigReader, config: ConfigReader): RotaryScaling | null {
  const type = rope.choice(rope.has('rope_type') || !rope.has('type') ? 'rope_type' : 'type', TYPES);
  if (type === 'default') return null;
  const factor = rope.positive('factor');
  if (type === 'linear') return { type, factor };
  if (type === 'yarn') return yarn(rope, config, factor);
  return {
    type,
    factor,
    lowFreqFactor: rope.positive('low_freq_factor'),
    highFreqFactor: rope.positive('high_freq_factor'),
    originalMaxPositionEmbeddings: rope.integer('original_max_position_embeddings'),
  };
}

function yarn(rope: ConfigReader, config: ConfigReader, factor: number): RotaryScaling {
  for (const key of ['mscale', 'mscale_all_dim']) rope.expect(key); // DeepSeek's, another attention factor
  rope.expect('truncate', true);
  const trained = config.integer('max_position_embeddings', 2048);
  return {
    type: 'yarn',
    factor,
    originalMaxPositionEmbeddings: rope.integer('original_max_position_embeddings', trained),
    betaFast: rope.positive('beta_fast', 32),
    betaSlow: rope.positive('beta_slow', 1),
    ...(rope.has('attention_factor') && { attentionFactor: rope.positive('attention_factor') }),
  };
}
