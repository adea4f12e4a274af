/** A case's `config`, read with checks: a setting of another kind is an error, never a silent default. */
export class Settings {
  readonly where: string;
  readonly values: Readonly<Record<string, unknown>>;

  constructor(where: string, values: Readonly<Record<string, unknown>>) {
    this.where = where;
    this.values = values;
  }

  /** Whether there is such a setting; null counts as none. */
  has(key: string): boolean {
    return (this.values[key] ?? null) !== null;
  }

  number(key: string, otherwise?: number): number {
    return this.#read(key, 'a number', (value) => typeof value === 'number', otherwise);
  }

  text(key: string, otherwise?: string): string {
    return this.#read(key, 'text', (value) => typeof value === 'string', otherwise);
  }

  flag(key: string, otherwise = false): boolean {
    return this.#read(key, 'true or false', (value) => typeof value === 'boolean', otherwise);
  }

  numbers(key: string): readonly number[] {
    return this.#read(key, 'a list of numbers', (value) => isListOf('number', value));
  }

  texts(key: string): readonly string[] {
    return this.#read(key, 'a list of texts', (value) => isListOf('string', value));
  }

  textLists(key: string): readonly (readonly string[])[] {
    const isLists = (value: unknown) => Array.isArray(value) && value.every((list) => isListOf('string', list));
    return this.#read(key, 'a list of lists of texts', isLists);
  }

  /** A table inside this one. */
  table(key: string): Settings {
    const values = this.#read<Record<string, unknown>>(key, 'a table', isTable);
    return new Settings(`${this.where}.${key}`, values);
  }

  /** A list of tables. */
  tables(key: string): Settings[] {
    const list = this.#read<Record<string, unknown>[]>(key, 'a list of tables', isListOfTables);
    return list.map((values, i) => new Settings(`${this.where}.${key}[${i}]`, values));
  }

  #read<T>(key: string, kind: string, test: (value: unknown) => boolean, otherwise?: T): T {
    const value = this.values[key] ?? otherwise;
    if (test(value)) return value as T;
    throw new TypeError(`${this.where}.${key}: expected ${kind}, got ${JSON.stringify(value) ?? 'nothing'}`);
  }
}

function isTable(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isListOf(kind: string, value: unknown): boolean {
  return Array.isArray(value) && value.every((item) => typeof item === kind);
}

function isListOfTables(value: unknown): boolean {
  return Array.isArray(value) && value.every(isTable);
}
