import type { Offset } from '../encoding.js';
import { isObject, type Json } from '../json.js';
import type { Library } from '../library.js';
import { type AddedToken, addedTokensOf, splitAtTokens } from './added-tokens.js';
import { AlignedText } from './aligned-text.js';
import { alignedNormalize } from './normalize.js';
import { tokenRanges } from './tokens.js';
import { inWordCharacters, type PlacedWord, placeWords } from './words.js';

/** A token, and where it comes from if that is known. */
interface FoundToken {
  readonly id: number | undefined;
  readonly offset: Offset | null;
}

/**
 * Finds where the tokens of a text come from, by going the library's way once more and keeping count. What cannot be
 * followed is null; so is everything where the tokens come out other than `ids`, which the library gave.
 */
export class OffsetFinder {
  readonly #library: Library;
  readonly #json: Json;
  readonly #model: Json;
  readonly #plain: ReadonlyMap<string, AddedToken>;
  readonly #normalized: ReadonlyMap<string, AddedToken>;
  readonly #trim: boolean;

  constructor(library: Library, json: Json, trimOffsets: boolean) {
    this.#library = library;
    this.#json = json;
    this.#model = isObject(json.model) ? json.model : {};
    this.#trim = trimOffsets;
    const added = addedTokensOf(json);
    const isNormalized = (token: AddedToken) => token.normalized && library.normalizer !== null;
    const written = (token: AddedToken) => library.normalizer!.normalize(token.content);
    this.#plain = new Map(added.filter((token) => !isNormalized(token)).map((token) => [token.content, token]));
    this.#normalized = new Map(added.filter(isNormalized).map((token) => [written(token), token]));
  }

  /** The place of each token, or null where it is not known. */
  find(text: string, ids: readonly number[]): (Offset | null)[] {
    const found: FoundToken[] = [];
    for (const [i, { part, token }] of splitAtTokens(AlignedText.of(text), this.#plain).entries()) {
      const tokens = token ? [wholeOf(part, token)] : this.#section(part, i);
      if (tokens === null) return ids.map(() => null);
      found.push(...tokens);
    }
    const isSame = found.length === ids.length && found.every(({ id }, i) => id === ids[i]);
    return ids.map((_, i) => (isSame ? trimmed(text, found[i]!.offset, this.#trim) : null));
  }

  /** The tokens of a text without added tokens, or null where its normalizer cannot be followed. */
  #section(part: AlignedText, index: number): FoundToken[] | null {
    if (part.text === '') return [];
    const normalized = this.#library.normalizer?.normalize(part.text) ?? part.text;
    const aligned = alignedNormalize(this.#json.normalizer, part);
    if (!aligned || oneSigma(aligned.text) !== oneSigma(normalized)) return null;
    return splitAtTokens(aligned.withText(normalized), this.#normalized).flatMap(({ part: section, token }) => {
      return token ? [wholeOf(section, token)] : this.#words(section, index);
    });
  }

  #words(section: AlignedText, index: number): FoundToken[] {
    if (section.text === '') return [];
    const { pre_tokenizer: splitter, model } = this.#library;
    const words = splitter?.pre_tokenize(section.text, { section_index: index }) ?? [section.text];
    const written = inWordCharacters(this.#json.pre_tokenizer, section);
    const places = placeWords(written.text, words);
    const tokens = words.flatMap((word, w) => {
      const pieces = model.encode([word]);
      const ranges = places && tokenRanges(this.#model, word, pieces, (piece) => model.tokens_to_ids.has(piece));
      return pieces.map((piece, i) => {
        const id = model.tokens_to_ids.get(piece) ?? model.unk_token_id;
        return { id, offset: ranges ? spanOf(written, places![w]!, ranges[i]!) : null };
      });
    });
    return model.fuse_unk ? this.#fuseUnknown(tokens) : tokens;
  }

  /** Several unknown tokens in a row are one. */
  #fuseUnknown(tokens: readonly FoundToken[]): FoundToken[] {
    const fused: FoundToken[] = [];
    for (const token of tokens) {
      const last = fused.at(-1);
      const continues = last !== undefined && token.id === this.#library.model.unk_token_id && last.id === token.id;
      if (continues) fused[fused.length - 1] = { id: token.id, offset: joined(last.offset, token.offset) };
      else fused.push(token);
    }
    return fused;
  }
}

function wholeOf(part: AlignedText, { id }: AddedToken): FoundToken {
  return { id, offset: part.span(0, part.text.length) };
}

/** The place of some units of a word; those that the pre-tokenizer put in front of it have none of their own. */
function spanOf(text: AlignedText, { from, prefix }: PlacedWord, [start, end]: Offset): Offset {
  return text.span(from + Math.max(0, start - prefix), from + Math.max(0, end - prefix));
}

function joined(a: Offset | null, b: Offset | null): Offset | null {
  return a && b && [Math.min(a[0], b[0]), Math.max(a[1], b[1])];
}

/** A small sigma is written otherwise at the end of a word; that depends on more than the letter. */
function oneSigma(text: string): string {
  return text.replaceAll('\u03c2', '\u03c3');
}

/** Without the spaces around it, where the tokenizer wants that; other white space stays, as in Hugging Face's library. */
function trimmed(text: string, offset: Offset | null, trim: boolean): Offset | null {
  if (!offset || !trim) return offset;
  const part = text.slice(...offset);
  const start = offset[0] + part.length - part.replace(/^ +/, '').length;
  return [start, Math.max(start, offset[0] + part.replace(/ +$/, '').length)];
}
