import { FAR_CHINESE } from '../for-library.js';
import { isObject, type Json, objectsIn } from '../json.js';
import { escapePattern } from './added-tokens.js';
import type { AlignedText } from './aligned-text.js';

/** Characters that may have a small letter. */
const LETTER = /[A-Z]|[^\0-\x7f]/gu;
/** What BertNormalizer drops, and what it makes a space of. */
const CONTROL = /[\0\ufffd]|(?![\t\n\r])[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu;
/** A character with its marks, or the letters of Korean syllables: what Unicode normal forms compose or take apart. */
const CLUSTER = /[\u1100-\u11ff\ua960-\ua97f\uac00-\ud7ff]+|\P{M}\p{M}*|\p{M}+/gu;
/** What SentencePiece's table has nothing for. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const DROPPED = /[\x01-\x08\x0b\x0e-\x1f\x7f\x8f\x9f]/g;
/** Chinese characters, which BertNormalizer sets apart. */
const CHINESE = new RegExp(`[\\u4e00-\\u9fff\\u3400-\\u4dbf\\uf900-\\ufaff]|${FAR_CHINESE}`, 'gu');

/**
 * Does what the `normalizer` of a tokenizer.json does, and remembers where each character comes from.
 *
 * @returns null for a kind that cannot be followed; the caller checks the text against the library's
 */
export function alignedNormalize(normalizer: unknown, text: AlignedText): AlignedText | null {
  if (!isObject(normalizer)) return text;
  switch (normalizer.type) {
    case 'Sequence':
      return objectsIn(normalizer.normalizers).reduce<AlignedText | null>(
        (done, each) => done && alignedNormalize(each, done),
        text,
      );
    case 'NFC':
    case 'NFD':
    case 'NFKC':
    case 'NFKD':
      return normalForm(text, normalizer.type);
    case 'Lowercase':
      return lowercase(text);
    case 'StripAccents':
      return text.replace(/\p{M}/gu, () => '');
    case 'Strip':
      return strip(text, normalizer);
    case 'Prepend':
      return text.rewrite([{ from: 0, to: 0, by: String(normalizer.prepend) }]);
    case 'Replace':
      return replacePattern(text, normalizer);
    case 'Precompiled':
      return precompiled(text);
    case 'BertNormalizer':
      return bertNormalize(text, normalizer);
    default:
      return null;
  }
}

function normalForm(text: AlignedText, form: 'NFC' | 'NFD' | 'NFKC' | 'NFKD'): AlignedText {
  if (/^[\0-\x7f]*$/.test(text.text)) return text;
  return rewriteChanged(text, CLUSTER, (cluster) => cluster.normalize(form));
}

/** Greek sigma at the end of a word is written differently, but takes as much room. */
function lowercase(text: AlignedText): AlignedText {
  return rewriteChanged(text, LETTER, (character) => character.toLowerCase());
}

function strip(text: AlignedText, { strip_left: left, strip_right: right }: Json): AlignedText {
  const start = left ? text.text.length - text.text.replace(/^\p{White_Space}+/u, '').length : 0;
  const end = right ? text.text.replace(/\p{White_Space}+$/u, '').length : text.text.length;
  return text.slice(start, Math.max(start, end));
}

function replacePattern(text: AlignedText, { pattern, content }: Json): AlignedText | null {
  const source = isObject(pattern) ? (pattern.Regex ?? pattern.String) : undefined;
  if (!isObject(pattern) || typeof source !== 'string') return null;
  const expression = pattern.Regex === undefined ? escapePattern(source) : source;
  try {
    return text.replace(new RegExp(expression, 'gu'), () => String(content ?? ''));
  } catch {
    return null; // an expression of another dialect
  }
}

/** What the library does in place of SentencePiece's table: it drops control characters, and all but ～ is NFKC. */
function precompiled(text: AlignedText): AlignedText {
  const spaces = /[\t\n\f\r\xa0\u1680\u2000-\u200f\u2028\u2029\u202f\u205f\u2581\u3000\ufeff\ufffd]/g;
  const done = rewriteChanged(
    text.replace(DROPPED, () => ''),
    spaces,
    () => ' ',
  );
  return rewriteChanged(done, CLUSTER, (cluster) => (cluster === '\uff5e' ? cluster : cluster.normalize('NFKC')));
}

function bertNormalize(text: AlignedText, options: Json): AlignedText {
  let done = text;
  if (options.clean_text)
    done = rewriteChanged(
      done.replace(CONTROL, () => ''),
      /\s/gu,
      () => ' ',
    );
  if (options.handle_chinese_chars) done = rewriteChanged(done, CHINESE, (character) => ` ${character} `);
  if (options.lowercase) done = lowercase(done);
  const strips = options.lowercase ? options.strip_accents !== false : Boolean(options.strip_accents);
  return strips ? normalForm(done, 'NFD').replace(/\p{Mn}/gu, () => '') : done;
}

/** What a change leaves as it was keeps its own places. */
function rewriteChanged(text: AlignedText, pattern: RegExp, change: (part: string) => string): AlignedText {
  const parts = Array.from(text.text.matchAll(pattern), ({ 0: part, index }) => {
    return { from: index, to: index + part.length, by: change(part) };
  });
  return text.rewrite(parts.filter(({ from, to, by }) => text.text.slice(from, to) !== by));
}
