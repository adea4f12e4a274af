import { type Json, objectsIn } from '../json.js';
import type { AlignedText } from './aligned-text.js';

/** A token of `added_tokens`, which is found in a text before anything else. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  readonly normalized: boolean;
}

/** The added tokens of a tokenizer.json. */
export function addedTokensOf(json: Json): AddedToken[] {
  return objectsIn(json.added_tokens).map((token) => ({
    id: Number(token.id),
    content: String(token.content),
    lstrip: token.lstrip === true,
    rstrip: token.rstrip === true,
    normalized: typeof token.normalized === 'boolean' ? token.normalized : token.special !== true,
  }));
}

/** A part of a text: an added token, or what lies between. */
export interface Section {
  readonly part: AlignedText;
  readonly token: AddedToken | null;
}

/** Takes a text apart at added tokens: the first one from the left, of those that begin there the longest. */
export function splitAtTokens(text: AlignedText, tokens: ReadonlyMap<string, AddedToken>): Section[] {
  const contents = [...tokens.keys()].filter((content) => content !== '').sort((a, b) => b.length - a.length);
  const pattern = new RegExp(contents.map(escapePattern).join('|') || '(?!)', 'g');
  const sections: Section[] = [];
  let done = 0;
  const close = (end: number) => {
    if (end > done) sections.push({ part: text.slice(done, end), token: null });
  };
  for (const { 0: content, index } of text.text.matchAll(pattern)) {
    close(index);
    done = index + content.length;
    sections.push({ part: text.slice(index, done), token: tokens.get(content)! });
  }
  close(text.text.length);
  return sections.map((section, i) =>
    section.token ? section : trimSection(section, sections[i - 1], sections[i + 1]),
  );
}

/** A pattern that matches a text and nothing else. */
export function escapePattern(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** Added tokens may take the spaces around them away. */
function trimSection({ part }: Section, before: Section | undefined, after: Section | undefined): Section {
  const { text } = part;
  const start = before?.token?.rstrip ? text.length - text.trimStart().length : 0;
  const end = after?.token?.lstrip ? text.trimEnd().length : text.length;
  return { part: part.slice(start, Math.max(start, end)), token: null };
}
