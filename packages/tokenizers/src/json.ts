/** What a JSON object is before anything is known about it. */
export type Json = Record<string, unknown>;

/** Whether a value is a JSON object, not a list and not null. */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The objects in a list; none where it is no list. */
export function objectsIn(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

/** The text of a token, which tokenizer_config.json writes as a string or as `{ "content": "..." }`. */
export function tokenText(value: unknown): string | null {
  const text = isObject(value) ? value.content : value;
  return typeof text === 'string' ? text : null;
}
