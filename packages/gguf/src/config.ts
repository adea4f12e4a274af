import { GgufError } from './errors.js';

/** The values of a config.json, by their own snake_case names. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** Reads what GGUF needs of a config.json that a model was loaded from, and so is checked already. */
export class ConfigValues {
  readonly raw: RawConfig;
  readonly where: string;

  constructor(raw: unknown, where: string) {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      throw new GgufError(`${where}: expected a JSON object`);
    }
    this.raw = raw as RawConfig;
    this.where = where;
  }

  /** A number under the first of `keys` that is there. */
  number(keys: string | readonly string[], fallback?: number): number {
    const list = typeof keys === 'string' ? [keys] : keys;
    const value = list.map((key) => this.raw[key]).find((one) => one !== undefined && one !== null) ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    throw new GgufError(`${this.where}: ${list.join(' or ')} must be a number, got ${JSON.stringify(value)}`);
  }

  numberOrNull(key: string): number | null {
    return this.has(key) ? this.number(key) : null;
  }

  has(key: string): boolean {
    return this.raw[key] !== undefined && this.raw[key] !== null;
  }

  /** Refuses a value with which llama.cpp would compute other numbers. */
  expect(key: string, ...supported: unknown[]): void {
    if (!this.has(key) || supported.includes(this.raw[key])) return;
    throw new GgufError(
      `${this.where}: ${key} = ${JSON.stringify(this.raw[key])} has no counterpart in GGUF: expected ` +
        (supported.map((value) => JSON.stringify(value)).join(' or ') || 'none'),
    );
  }
}
