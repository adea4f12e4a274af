import type { RawConfig } from './config-reader.js';

/**
 * Options in camelCase as config.json has them: `numKeyValueHeads` is `num_key_value_heads`, at any depth. A rotary
 * scaling's `type` is `rope_type`.
 */
export function rawConfigOf(options: object): RawConfig {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries.map(([key, value]) => [snakeCase(key, options), convert(value)]));
}

function snakeCase(key: string, options: object): string {
  if (key === 'type' && 'factor' in options) return 'rope_type';
  return key.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

function convert(value: unknown): unknown {
  const nested = typeof value === 'object' && value !== null && !Array.isArray(value);
  return nested ? rawConfigOf(value) : value;
}
