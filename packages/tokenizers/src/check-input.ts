/** Refuses what a program without types gives: several texts would be joined, and an empty text comes of none. */
export function checkText(text: string): void {
  if (typeof text === 'string') return;
  const got = Array.isArray(text) ? 'an array; several texts are rows of encodeBatch' : typeof text;
  throw new TypeError(`encode: expected a text, got ${got}`);
}

/** The ids as an array. Rows of `generate` as they come, or the bigints of other libraries, would be passed over in silence. */
export function listIds(ids: Iterable<number>): number[] {
  const list = [...ids];
  const other: unknown = list.find((id) => typeof id !== 'number');
  if (other === undefined) return list;
  const got = typeof other === 'object' ? 'rows; decode each of them' : `a ${typeof other}`;
  throw new TypeError(`decode: expected the ids of a text, got ${got}`);
}
