import { CheckpointError, label } from './errors.js';

/** A JSON object as `JSON.parse` makes it. Read it with `Object.entries` or `Object.hasOwn`: keys are untrusted. */
export type JsonObject = Readonly<Record<string, unknown>>;

export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * Parses a JSON object out of bytes of a file, strictly: UTF-8 without faults, no key twice, no half of a surrogate pair.
 *
 * @param who - the file and the part of it to blame, such as `model.safetensors: header`
 * @throws CheckpointError naming the rule that was broken
 */
export function parseJsonObject(who: string, bytes: Uint8Array): JsonObject {
  const text = decodeUtf8(who, bytes);
  const value = parseJson(who, text);
  if (!isJsonObject(value)) {
    throw new CheckpointError(`${who} must be a JSON object: expected { ... }, got ${kindOf(value)}`);
  }
  const twice = findDuplicateKey(text);
  if (twice !== undefined) {
    // JSON.parse keeps the last of two values silently, other readers the first: which is meant cannot be known
    throw new CheckpointError(`${who} must hold each key once: expected no duplicate, got "${label(twice)}" twice`);
  }
  return value;
}

/** `JSON.parse` that blames `who`. */
export function parseJson(who: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    const reason = label(cause instanceof Error ? cause.message : String(cause));
    throw new CheckpointError(`${who} must be JSON: ${reason}`, { cause });
  }
}

/** Text of UTF-8 bytes; a byte order mark is kept, so that JSON refuses it. */
function decodeUtf8(who: string, bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CheckpointError(`${who} must be UTF-8: got bytes that are not`, { cause });
  }
}

/** Whether every surrogate in `text` has its other half. One without cannot be written as UTF-8. */
export function isWellFormed(text: string): boolean {
  return !/\p{Surrogate}/u.test(text);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'an array' : `a ${typeof value}`;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/**
 * The first key that an object in `json` holds twice, at any depth, or undefined.
 *
 * @param json - text that `JSON.parse` accepts; nothing else is checked here
 */
function findDuplicateKey(json: string): string | undefined {
  const open: Set<string>[] = []; // keys seen so far in each object that is still open
  let at = 0;
  while (at < json.length) {
    const unit = json.charCodeAt(at);
    if (unit === QUOTE) {
      const end = endOfString(json, at);
      if (json.charCodeAt(skipSpace(json, end)) === COLON) {
        const key = JSON.parse(json.slice(at, end)) as string; // "\u0061" and "a" are one key
        const keys = open.at(-1)!;
        if (keys.has(key)) return key;
        keys.add(key);
      }
      at = end;
      continue;
    }
    if (unit === OPEN_BRACE) open.push(new Set());
    else if (unit === CLOSE_BRACE) open.pop();
    at++;
  }
  return undefined;
}

/** Place after the closing quote of the string that starts at `start`. */
function endOfString(json: string, start: number): number {
  let at = start + 1;
  for (let unit = json.charCodeAt(at); unit !== QUOTE; unit = json.charCodeAt(at)) at += unit === BACKSLASH ? 2 : 1;
  return at + 1;
}

function skipSpace(json: string, start: number): number {
  let at = start;
  for (let unit = json.charCodeAt(at); unit === 0x20 || (unit >= 0x09 && unit <= 0x0d); unit = json.charCodeAt(at))
    at++;
  return at;
}
