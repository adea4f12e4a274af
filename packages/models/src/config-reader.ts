/** A config.json that cannot be used as it is. The message names the file and the key. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The values of a config.json, by their own snake_case names. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** Sizes and ids are int32 on a device. */
const MOST = 2 ** 31 - 1;

/** Reads typed values out of a config.json. A key that is absent or null takes the fallback, where there is one. */
export class ConfigReader {
  readonly raw: RawConfig;
  readonly where: string;

  /** @throws ConfigError if `raw` is no JSON object; `where` is put before every message */
  constructor(raw: unknown, where: string) {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      throw new ConfigError(`${where}: expected a JSON object, got ${shown(raw)}`);
    }
    this.raw = raw as RawConfig;
    this.where = where;
  }

  /** A whole number of `least` or more. */
  integer(key: string, fallback?: number, least = 1): number {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'number' && Number.isInteger(value) && value >= least && value <= MOST) return value;
    throw this.complaint(key, `a whole number from ${least} to ${MOST}`);
  }

  /** A whole number, or null where there is none. */
  integerOrNull(key: string, least = 0): number | null {
    return this.has(key) ? this.integer(key, undefined, least) : null;
  }

  /** A finite number greater than 0. */
  positive(key: string, fallback?: number): number {
    return this.number(key, 'a number greater than 0', (value) => value > 0, fallback);
  }

  /** A finite number of 0 or more. */
  nonNegative(key: string, fallback?: number): number {
    return this.number(key, 'a number of 0 or more', (value) => value >= 0, fallback);
  }

  /** A share of what is dropped. */
  probability(key: string, fallback?: number): number {
    return this.number(key, 'a number in [0, 1)', (value) => value >= 0 && value < 1, fallback);
  }

  private number(key: string, rule: string, holds: (value: number) => boolean, fallback?: number): number {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && holds(value)) return value;
    throw this.complaint(key, rule);
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.complaint(key, 'true or false');
  }

  /** One of a few strings. */
  choice<T extends string>(key: string, choices: readonly T[], fallback?: T): T {
    const value = this.raw[key] ?? fallback;
    const found = choices.find((choice) => choice === value);
    if (found !== undefined) return found;
    throw this.complaint(key, `one of ${choices.join(', ')}`);
  }

  /** Refuses a value other than those that this implementation computes. */
  expect(key: string, ...supported: unknown[]): void {
    if (!this.has(key) || supported.includes(this.raw[key])) return;
    throw new ConfigError(
      `${this.where}: ${key} = ${shown(this.raw[key])} is not supported, and without it the numbers would differ: ` +
        `expected ${supported.map(shown).join(' or ')}`,
    );
  }

  has(key: string): boolean {
    return this.raw[key] !== undefined && this.raw[key] !== null;
  }

  complaint(key: string, expected: string): ConfigError {
    return new ConfigError(`${this.where}: ${key} must be ${expected}, got ${shown(this.raw[key])}`);
  }
}

/** A value of a file, made safe to print: a hostile one may be long. */
function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}
