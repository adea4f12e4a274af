/**
 * What an object holds, by checkpoint name: its own fields, and instead of an array, a Map or a plain object its items
 * (`layers.0`). Objects of other classes are not looked into.
 */
export function* fieldsOf(holder: object): Generator<[name: string, value: unknown]> {
  for (const [key, value] of Object.entries(holder)) yield* itemsOf(snakeCase(key), value);
}

function* itemsOf(name: string, value: unknown): Generator<[name: string, value: unknown]> {
  const entries = entriesOf(value);
  if (!entries) yield [name, value];
  else for (const [key, item] of entries) yield* itemsOf(`${name}.${key}`, item);
}

/** Puts `value` where {@link fieldsOf} finds `name`. Does nothing if it finds no such name. */
export function replaceField(holder: object, name: string, value: unknown): void {
  for (const [key, field] of Object.entries(holder)) {
    const own = snakeCase(key);
    if (own === name) (holder as Record<string, unknown>)[key] = value;
    else if (name.startsWith(`${own}.`)) replaceItem(field, own, name, value);
  }
}

function replaceItem(container: unknown, prefix: string, name: string, value: unknown): void {
  for (const [key, item] of entriesOf(container) ?? []) {
    const own = `${prefix}.${key}`;
    if (own !== name) {
      if (name.startsWith(`${own}.`)) replaceItem(item, own, name, value);
    } else if (container instanceof Map) container.set(key, value);
    else (container as Record<string | number, unknown>)[key] = value;
  }
}

/** The items of an array, a Map or a plain object; null for anything else. */
function entriesOf(value: unknown): Iterable<[key: string | number, value: unknown]> | null {
  if (Array.isArray(value)) return value.entries();
  if (value instanceof Map) return value;
  return isPlainObject(value) ? Object.entries(value) : null;
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** `qProj` is `q_proj`; a name that begins with a capital or holds an underscore stays as it is. */
function snakeCase(name: string): string {
  if (/^[A-Z]|_/.test(name)) return name;
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
