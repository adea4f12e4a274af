import type { RawConfig } from './config-reader.js';

/**
 * Options in camelCase as config.json has them: `numKeyValueHeads` is `num_key_value_heads`, and so inside a rotary
 * scaling, whose `type` is `rope_type`.
 */
export function rawConfigOf(modelType: string, options: object): RawConfig {
  return { model_type: modelType, ...withSnakeCase(options) };
}

function withSnakeCase(options: object): RawConfig {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(
    given.map(([key, value]) => [
      key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`),
      key === 'ropeScaling' && value ? ropeScaling(value) : value,
    ]),
  );
}

function ropeScaling({ type, ...rest }: { type: string }): RawConfig {
  return { rope_type: type, ...withSnakeCase(rest) };
}

/**
 * The same, without a padding id where none is given and the one that transformers then takes is not in the vocabulary: it
 * would refuse the file.
 */
export function withPaddingOf(raw: RawConfig, paddingOfTransformers: number): RawConfig {
  const fits = raw.pad_token_id !== undefined || Number(raw.vocab_size) > paddingOfTransformers;
  return fits ? raw : { ...raw, pad_token_id: null };
}
