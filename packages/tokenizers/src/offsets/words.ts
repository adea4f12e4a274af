import { isObject, type Json, objectsIn } from '../json.js';
import { byteCharacters } from '../training/bytes.js';
import type { AlignedText } from './aligned-text.js';

/** Spaces as text, as byte-level tokens and as Metaspace write them: what lies between words. */
const SPACE = /[\s\u2581\u0120\u010a\u010d\u0109]/;
/** What a pre-tokenizer may put in front of a word that has no space there. */
const PREFIX = /^[\u0120\u2581]/;

/** Where a word begins and ends in a text; `prefix` units of the word are not in the text. */
export interface PlacedWord {
  readonly word: string;
  readonly from: number;
  readonly prefix: number;
}

/** Writes a text in the characters that the words of its pre-tokenizer are written in. */
export function inWordCharacters(preTokenizer: unknown, text: AlignedText): AlignedText {
  const steps = preTokenizerSteps(preTokenizer);
  if (steps.some(({ type }) => type === 'ByteLevel')) {
    const characters = byteCharacters();
    const encoder = new TextEncoder();
    return text.replace(/[^!-~]/gu, (c) => Array.from(encoder.encode(c), (byte) => characters[byte]!).join(''));
  }
  const metaspace = steps.find(({ type }) => type === 'Metaspace');
  return metaspace ? text.replace(/ /g, () => String(metaspace.replacement ?? '\u2581')) : text;
}

function preTokenizerSteps(preTokenizer: unknown): Json[] {
  if (!isObject(preTokenizer)) return [];
  return preTokenizer.type === 'Sequence'
    ? objectsIn(preTokenizer.pretokenizers).flatMap(preTokenizerSteps)
    : [preTokenizer];
}

/** Finds words in a text, one behind the other, with nothing but spaces between. @returns null where that cannot be */
export function placeWords(text: string, words: readonly string[]): PlacedWord[] | null {
  const placed: PlacedWord[] = [];
  let at = 0;
  for (const word of words) {
    const prefixed = PREFIX.test(word) ? word.slice(1) : null;
    for (;;) {
      const isThere = text.startsWith(word, at);
      if (isThere || (prefixed !== null && text.startsWith(prefixed, at))) {
        placed.push({ word, from: at, prefix: isThere ? 0 : 1 });
        at += isThere ? word.length : word.length - 1;
        break;
      }
      if (at >= text.length || !SPACE.test(text[at]!)) return null;
      at++;
    }
  }
  return [...text.slice(at)].every((character) => SPACE.test(character)) ? placed : null;
}
