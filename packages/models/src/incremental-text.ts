import type { TokenDecoder } from './generate-options.js';

/** Tokens of the prompt that the first new ones are decoded after: a tokenizer drops the space before a text's first word. */
const CONTEXT = 6;

/** What an unfinished character decodes to. */
const REPLACEMENT = '\uFFFD';

/**
 * The text of tokens that come one by one. A piece is given out once its last character is whole, as a character may
 * take several tokens; together the pieces are what the tokens decode to after the prompt.
 *
 * Tokens are decoded twice: with those before them and without, and the difference is theirs, for what a token says can
 * depend on where it stands.
 */
export class IncrementalText {
  private readonly tokenizer: TokenDecoder;
  private ids: number[]; // those whose text was given out last, and those whose was not yet
  private given: number; // how many of them were
  private before: string; // what those decode to

  constructor(tokenizer: TokenDecoder, prompt: readonly number[]) {
    this.tokenizer = tokenizer;
    this.ids = prompt.slice(-CONTEXT);
    this.given = this.ids.length;
    this.before = withoutUnfinished(tokenizer.decode(this.ids));
  }

  /** The text that this token completes; empty where a character is not whole yet. */
  push(id: number): string {
    this.ids.push(id);
    const all = this.tokenizer.decode(this.ids);
    return all.endsWith(REPLACEMENT) ? '' : this.give(all);
  }

  /** What is left, whole or not: when no more tokens come. */
  flush(): string {
    return this.ids.length === this.given ? '' : this.give(this.tokenizer.decode(this.ids));
  }

  private give(all: string): string {
    const text = all.slice(this.before.length);
    if (text === '') return ''; // a token without text is no context to decode after
    this.ids = this.ids.slice(this.given);
    this.given = this.ids.length;
    this.before = this.tokenizer.decode(this.ids);
    return text;
  }
}

/** A prompt may end within a character, which new tokens complete. */
function withoutUnfinished(text: string): string {
  let end = text.length;
  while (end > 0 && text[end - 1] === REPLACEMENT) end--;
  return text.slice(0, end);
}
