import type { Offset } from '../encoding.js';

/** A part of a text and what stands in its place: `text.slice(from, to)` becomes `by`. */
export interface Rewrite {
  readonly from: number;
  readonly to: number;
  readonly by: string;
}

/** A text that was made from another, and for each of its UTF-16 units where in the other it comes from. */
export class AlignedText {
  readonly text: string;
  readonly #starts: readonly number[];
  readonly #ends: readonly number[];

  private constructor(text: string, starts: readonly number[], ends: readonly number[]) {
    this.text = text;
    this.#starts = starts;
    this.#ends = ends;
  }

  /** A text as it is. A pair of surrogates is one character: both halves come from the whole of it. */
  static of(text: string): AlignedText {
    const starts: number[] = [];
    const ends: number[] = [];
    for (const character of text) {
      const start = starts.length;
      for (let i = 0; i < character.length; i++) {
        starts.push(start);
        ends.push(start + character.length);
      }
    }
    return new AlignedText(text, starts, ends);
  }

  /** The same places under another text of the same length. */
  withText(text: string): AlignedText {
    return new AlignedText(text, this.#starts, this.#ends);
  }

  slice(from: number, to: number): AlignedText {
    return new AlignedText(this.text.slice(from, to), this.#starts.slice(from, to), this.#ends.slice(from, to));
  }

  /** Where units `from` to `to` come from. Units that were put in have an empty place of their own. */
  span(from: number, to: number): Offset {
    if (from >= to) return [this.#place(from), this.#place(from)];
    return [this.#starts[from]!, this.#ends[to - 1]!]; // places never go back
  }

  /** Rewrites parts, given from left to right; the rest stays. What is written comes from all of what was there. */
  rewrite(parts: Iterable<Rewrite>): AlignedText {
    const texts: string[] = [];
    const starts: number[] = [];
    const ends: number[] = [];
    let done = 0;
    const keep = (to: number) => {
      texts.push(this.text.slice(done, to));
      for (let i = done; i < to; i++) {
        starts.push(this.#starts[i]!);
        ends.push(this.#ends[i]!);
      }
      done = to;
    };
    for (const { from, to, by } of parts) {
      keep(from);
      const [start, end] = this.span(from, to);
      texts.push(by);
      for (let i = 0; i < by.length; i++) {
        starts.push(start);
        ends.push(end);
      }
      done = to;
    }
    keep(this.text.length);
    return new AlignedText(texts.join(''), starts, ends);
  }

  /** Rewrites whatever a pattern matches. */
  replace(pattern: RegExp, by: (match: string) => string): AlignedText {
    const matches = [...this.text.matchAll(pattern)];
    return this.rewrite(matches.map(({ 0: m, index }) => ({ from: index, to: index + m.length, by: by(m) })));
  }

  #place(at: number): number {
    return this.#starts[at] ?? this.#ends.at(-1) ?? 0;
  }
}
