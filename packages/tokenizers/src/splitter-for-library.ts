import { TokenizerError } from './errors.js';
import { isObject, type Json, objectsIn } from './json.js';
import { escapePattern } from './offsets/added-tokens.js';

/** What stands in a class of characters: letters, marks, digits and joiners, as in Hugging Face's own library. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d';
const SPACE = '\\p{White_Space}';
const PUNCTUATION = '[\\p{P}!-\\/:-@\\[-`{-~]';

/** How the parts that a pattern matches are cut out of a text. */
type Behavior = 'Removed' | 'Isolated' | 'MergedWithPrevious' | 'MergedWithNext' | 'Contiguous';

/**
 * A `pre_tokenizer` in the words in which `@huggingface/tokenizers` makes of it what Hugging Face's own library does. That is
 * `Split` for the kinds which it reads with JavaScript's classes of letters and spaces; and for a `Split`, of the five
 * behaviors those that it has.
 *
 * @throws TokenizerError for a behavior that is not known, or has an `invert` that no words are known for
 */
export function splitterForLibrary(splitter: unknown): unknown {
  if (!isObject(splitter)) return splitter;
  switch (splitter.type) {
    case 'Sequence':
      return { ...splitter, pretokenizers: objectsIn(splitter.pretokenizers).map(splitterForLibrary) };
    case 'Whitespace':
      return split(`[${WORD}]+|[^${WORD}${SPACE}]+`, 'Removed', true);
    case 'WhitespaceSplit':
      return split(`${SPACE}+`, 'Removed');
    case 'Punctuation':
      return split(PUNCTUATION, behaviorOf(splitter));
    case 'Digits':
      return split('\\p{N}', splitter.individual_digits === true ? 'Isolated' : 'Contiguous');
    case 'Metaspace':
      return splitter.split === false ? splitter : splitAtSpaces(splitter);
    case 'Split':
      return splitByPattern(splitter);
    default:
      return splitter;
  }
}

/** Words as well, each with the sign for the space before it. */
function splitAtSpaces(metaspace: Json): Json {
  const space = escapePattern(String(metaspace.replacement ?? '\u2581'));
  return { type: 'Sequence', pretokenizers: [metaspace, split(space, 'MergedWithNext')] };
}

function splitByPattern(splitter: Json): unknown {
  const { pattern, invert = false } = splitter;
  const source = isObject(pattern) ? (pattern.Regex ?? escapePattern(String(pattern.String))) : null;
  const behavior = behaviorOf(splitter);
  const isRead = behavior === 'Isolated' || (behavior === 'Removed' && invert === true);
  if (typeof source !== 'string' || (isRead && invert === (behavior === 'Removed'))) return splitter;
  return split(source, behavior, invert === true);
}

function behaviorOf({ behavior = 'Isolated' }: Json): Behavior {
  const known: readonly unknown[] = ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'];
  if (known.includes(behavior)) return behavior as Behavior;
  throw new TokenizerError(
    `tokenizer.json: pre_tokenizer: behavior must be one of ${known.join(', ')}, got ${behavior}`,
  );
}

/** A `Split` that the library knows: what a pattern matches is cut out, or all that it does not match is dropped. */
function split(pattern: string, behavior: Behavior, invert = false): Json {
  const others = `(?:(?!${pattern})[\\s\\S])*`;
  switch (behavior) {
    case 'Removed':
      // JavaScript would put what groups hold between the parts
      return { type: 'Split', pattern: { Regex: invert ? pattern : withoutGroups(pattern) }, behavior, invert };
    case 'Isolated':
      return isolated(pattern); // inverted it is the same: parts and what lies between are cut apart
    case 'Contiguous':
      return isolated(`(?:${pattern})+`); // the same for either
    case 'MergedWithPrevious':
    case 'MergedWithNext':
      if (!invert)
        return isolated(behavior === 'MergedWithNext' ? `(?:${pattern})${others}` : `${others}(?:${pattern})`);
      throw new TokenizerError(`tokenizer.json: pre_tokenizer: a Split that is ${behavior} must not be inverted`);
  }
}

function isolated(pattern: string): Json {
  return { type: 'Split', pattern: { Regex: pattern }, behavior: 'Isolated', invert: false };
}

/** The same pattern with groups that hold nothing. */
function withoutGroups(pattern: string): string {
  return pattern.replace(/\\[\s\S]|\[(?:\\[\s\S]|[^\]\\])*\]|\((?!\?)/g, (part) => (part === '(' ? '(?:' : part));
}
