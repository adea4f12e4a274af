import type { DerivedTensor } from './architectures.js';
import { ConfigValues } from './config.js';
import { GgufError } from './errors.js';
import { float32, type MetadataValue, string, uint32 } from './metadata.js';

/** Rotary options under llama.cpp's keys, without the architecture's name before them. */
export function ropeMetadata(config: ConfigValues): Record<string, MetadataValue> {
  const base = { 'rope.freq_base': float32(theta(config)) };
  const scaling = scalingOf(config);
  if (scaling === null || typeOf(scaling) === 'llama3') return base;
  const factor = { 'rope.scaling.factor': float32(scaling.number('factor')) };
  if (typeOf(scaling) === 'linear') return { ...base, 'rope.scaling.type': string('linear'), ...factor };
  for (const [key, value] of Object.entries({ beta_fast: 32, beta_slow: 1 })) scaling.expect(key, value);
  for (const key of ['attention_factor', 'mscale', 'mscale_all_dim', 'truncate']) scaling.expect(key);
  const original = scaling.number('original_max_position_embeddings', config.number('max_position_embeddings', 2048));
  return {
    ...base,
    'rope.scaling.type': string('yarn'),
    ...factor,
    'rope.scaling.original_context_length': uint32(original),
  };
}

/** What each frequency is divided by in Llama 3's scaling: llama.cpp reads it as a tensor. */
export function ropeFactors(config: ConfigValues, headDim: number): DerivedTensor[] {
  const scaling = scalingOf(config);
  if (scaling === null || typeOf(scaling) !== 'llama3') return [];
  const factor = scaling.number('factor');
  const low = scaling.number('low_freq_factor');
  const high = scaling.number('high_freq_factor');
  const original = scaling.number('original_max_position_embeddings');
  const values = Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const wavelength = 2 * Math.PI * theta(config) ** ((2 * i) / headDim);
    if (wavelength < original / high) return 1;
    if (wavelength > original / low) return factor;
    const smooth = (original / wavelength - low) / (high - low);
    return 1 / ((1 - smooth) / factor + smooth);
  });
  return [{ name: 'rope_freqs.weight', values }];
}

/** Base of the wavelengths, and the share of a head that turns, of a family that has its own names for both. */
export function turningPart(
  config: ConfigValues,
  thetaKey: string,
  shareKey: string,
  defaultShare: number,
): { theta: number; share: number } {
  const inside = parametersOf(config) ?? config;
  if (inside !== config) inside.expect('rope_type', 'default');
  return {
    theta: inside.number(['rope_theta', thetaKey], config.number(thetaKey, 10_000)),
    share: inside.number('partial_rotary_factor', config.number(shareKey, defaultShare)),
  };
}

function theta(config: ConfigValues): number {
  return (parametersOf(config) ?? config).number('rope_theta', config.number('rope_theta', 10_000));
}

/** Newer files have all of it in `rope_parameters`. */
function parametersOf(config: ConfigValues): ConfigValues | null {
  const { rope_parameters: parameters } = config.raw;
  return parameters ? new ConfigValues(parameters, `${config.where}: rope_parameters`) : null;
}

function scalingOf(config: ConfigValues): ConfigValues | null {
  const { rope_scaling: older } = config.raw;
  const scaling = older ? new ConfigValues(older, `${config.where}: rope_scaling`) : parametersOf(config);
  return scaling === null || typeOf(scaling) === 'default' ? null : scaling;
}

function typeOf(scaling: ConfigValues): 'default' | 'linear' | 'llama3' | 'yarn' {
  const type = scaling.raw.rope_type ?? scaling.raw.type ?? 'default';
  if (type === 'default' || type === 'linear' || type === 'llama3' || type === 'yarn') return type;
  throw new GgufError(
    `${scaling.where}: rope_type = ${JSON.stringify(type)} has no counterpart in GGUF: expected linear, llama3 or yarn`,
  );
}
