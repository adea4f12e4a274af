/**
 * A checkpoint that cannot be read or written: a malformed file, a tensor that is not there, a disk that is full.
 * The message names the file, then the tensor where there is one, the rule, what was expected and what came.
 */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}

/** Longest piece of a file's own text that goes into a message; a hostile header may hold megabytes. */
const LABEL_LENGTH = 120;

/** Text out of a file, made safe to print: control characters escaped, cut where it is long. */
export function label(text: string): string {
  const cut = text.length > LABEL_LENGTH;
  const escaped = JSON.stringify(cut ? text.slice(0, LABEL_LENGTH) : text).slice(1, -1);
  return cut ? `${escaped}... (${text.length} characters)` : escaped;
}

/** Any value out of parsed JSON, made safe to print. */
export function shown(value: unknown): string {
  if (typeof value === 'string') return `"${label(value)}"`;
  // nothing nested is spelled out: the value may be deep enough to overflow the stack of JSON.stringify
  if (Array.isArray(value))
    return `[${value.slice(0, 8).map(shownInside).join(', ')}${value.length > 8 ? ', ...' : ''}]`;
  return shownInside(value);
}

function shownInside(value: unknown): string {
  if (typeof value === 'string') return `"${label(value)}"`;
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  return Object.is(value, -0) ? '-0' : String(value);
}
