/** A config.json that cannot be used as it is. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** The values of a config.json, by their own snake_case names. */
export type RawConfig = Readonly<Record<string, unknown>>;

/** Reads typed values out of a config.json; every complaint names the file's key. */
export class ConfigReader {
  readonly raw: RawConfig;
  readonly where: string;

  constructor(raw: unknown, where: string) {
    if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) {
      throw new ConfigError(`${where}: expected a JSON object`);
    }
    this.raw = raw as RawConfig;
    this.where = where;
  }

  /** A whole number of `least` or more. */
  integer(key: string, fallback?: number, least = 1): number {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'number' && Number.isSafeInteger(value) && value >= least) return value;
    throw this.complaint(key, `a whole number of ${least} or more`);
  }

  /** A whole number, or null where there is none. */
  integerOrNull(key: string, least = 0): number | null {
    return this.raw[key] === undefined || this.raw[key] === null ? null : this.integer(key, undefined, least);
  }

  /** A finite number of 0 or more. */
  number(key: string, fallback?: number): number {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && value >= 0) return value;
    throw this.complaint(key, 'a number of 0 or more');
  }

  boolean(key: string, fallback: boolean): boolean {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.complaint(key, 'true or false');
  }

  string(key: string, fallback?: string): string {
    const value = this.raw[key] ?? fallback;
    if (typeof value === 'string') return value;
    throw this.complaint(key, 'a string');
  }

  /** Refuses a value other than those that this implementation computes. */
  expect(key: string, ...supported: unknown[]): void {
    const value = this.raw[key];
    if (value === undefined || value === null || supported.includes(value)) return;
    throw new ConfigError(
      `${this.where}: ${key} = ${JSON.stringify(value)} is not supported: it would change the numbers; ` +
        `supported: ${supported.map((item) => JSON.stringify(item)).join(', ')}`,
    );
  }

  complaint(key: string, expected: string): ConfigError {
    return new ConfigError(
      `${this.where}: ${key} must be ${expected}, got ${JSON.stringify(this.raw[key]) ?? 'nothing'}`,
    );
  }
}
