/** Where a token lies in its text: `text.slice(start, end)`, counted in UTF-16 units as JavaScript does. */
export type Offset = readonly [start: number, end: number];

/** One row of tokens; all lists have its length. It is also an example that a trainer takes. */
export interface Encoding {
  readonly inputIds: number[];
  /** 1 for a token, 0 for padding. */
  readonly attentionMask: number[];
  /** Which segment each token belongs to, 0 or 1, as the tokenizer's post-processor says. */
  readonly tokenTypeIds: number[];
  /** 1 for tokens that are not in the text: those put around it, and padding. */
  readonly specialTokensMask: number[];
  /** 0 for tokens of the text, 1 for tokens of its pair, null for those of neither. */
  readonly sequenceIds: (0 | 1 | null)[];
  /** Where each token lies in its text, if `offsets` was asked for; null where there is no place or it is not known. */
  readonly offsets?: (Offset | null)[];
  /** The number of the text in the batch; a text that overflows has several rows. */
  readonly sample: number;
}

/** A token on its way into a row. */
export interface PlacedToken {
  readonly id: number;
  readonly typeId: number;
  readonly sequence: 0 | 1 | null;
  readonly offset: Offset | null;
}

/** The tokens of one text, nothing around them. */
export interface TextTokens {
  readonly ids: readonly number[];
  /** Null where nobody asked. */
  readonly offsets: readonly (Offset | null)[] | null;
}

/** A row of tokens as the lists that a model takes. */
export function encodingOf(tokens: readonly PlacedToken[], sample: number, withOffsets: boolean): Encoding {
  return {
    inputIds: tokens.map(({ id }) => id),
    attentionMask: tokens.map(() => 1),
    tokenTypeIds: tokens.map(({ typeId }) => typeId),
    specialTokensMask: tokens.map(({ sequence }) => (sequence === null ? 1 : 0)),
    sequenceIds: tokens.map(({ sequence }) => sequence),
    ...(withOffsets && { offsets: tokens.map(({ offset }) => offset) }),
    sample,
  };
}
