/** Which of two texts gets shorter: the longer one first, or always the first or the second. */
export type Truncation = 'longest_first' | 'only_first' | 'only_second';

/** Which end of a text is cut off, or filled up. */
export type Side = 'left' | 'right';

/**
 * How many tokens of each text are kept so that they fit in `room` together.
 *
 * @param lengths - tokens of the text, and of its pair where there is one
 * @throws RangeError if the one text that may be cut is too short for that
 */
export function keptLengths(lengths: readonly number[], room: number, truncation: Truncation): number[] {
  const [first = 0, second] = lengths;
  if (first + (second ?? 0) <= room) return [...lengths];
  if (second === undefined) return [room];
  if (truncation === 'longest_first') return longestFirst(first, second, room);
  const fixed = truncation === 'only_first' ? second : first;
  if (fixed >= room) {
    throw new RangeError(
      `encodeBatch: with truncation ${truncation} the other text must leave room: expected at most ${room - 1} tokens ` +
        `of it, got ${fixed}; take longest_first, or a larger maxLength`,
    );
  }
  return truncation === 'only_first' ? [room - fixed, fixed] : [fixed, room - fixed];
}

/** The longer one is cut to the shorter one's length, then both alike; an odd token goes to the longer one. */
function longestFirst(first: number, second: number, room: number): number[] {
  const shorter = Math.min(first, second, Math.floor(room / 2));
  return first > second ? [room - shorter, shorter] : [shorter, room - shorter];
}

/** The `size` tokens of `length` that stay when one end is cut off. */
export function firstWindow(length: number, size: number, side: Side): readonly [number, number] {
  return side === 'right' ? [0, Math.min(size, length)] : [Math.max(0, length - size), length];
}

/**
 * The windows of at most `size` tokens that cover `length` tokens, each sharing `stride` tokens with the one before it. The
 * first is what truncation keeps; from the left where the right end is cut, from the right where the left one is.
 */
export function windows(length: number, size: number, stride: number, side: Side): (readonly [number, number])[] {
  const step = size - stride;
  const count = length <= size ? 1 : 1 + Math.ceil((length - size) / step);
  return Array.from({ length: count }, (_, i) => {
    const near = i * step;
    const far = Math.min(near + size, length);
    return side === 'right' ? [near, far] : [length - far, length - near];
  });
}
