import type { BatchPlan } from './batch-options.js';
import { type Encoding, encodingOf, type TextTokens } from './encoding.js';
import { padEncoding } from './padding.js';
import { type Frame, fillSlots, slotsOf, specialCount } from './post-processor.js';
import { firstWindow, keptLengths, windows } from './truncation.js';

/** A text, or a text and its pair. */
export type TextInput = string | readonly [text: string, textPair: string];

/** The rows of a batch: tokens are cut, framed and filled up as planned. */
export function encodeRows(
  inputs: readonly TextInput[],
  tokensOf: (text: string) => TextTokens,
  frame: Frame,
  plan: BatchPlan,
): Encoding[] {
  const rows = inputs.flatMap((input, sample) => {
    const texts = (typeof input === 'string' ? [input] : input).map(tokensOf);
    return rowsOf(texts, sample, frame, plan);
  });
  return padRows(rows, plan.padding);
}

function rowsOf(texts: readonly TextTokens[], sample: number, frame: Frame, plan: BatchPlan): Encoding[] {
  const slots = slotsOf(frame, texts.length > 1, plan.addSpecialTokens);
  const cuts = plan.truncation ? cutTexts(texts, specialCount(slots), plan.truncation) : [texts];
  return cuts.map((cut) => encodingOf(fillSlots(slots, cut), sample, plan.offsets));
}

/** What is kept of the texts, and behind it, if asked for, what was cut off in windows of the same size. */
function cutTexts(
  texts: readonly TextTokens[],
  specials: number,
  { how, side, maxLength, stride, overflow }: NonNullable<BatchPlan['truncation']>,
): TextTokens[][] {
  checkTexts(texts, how, overflow);
  const room = maxLength - specials;
  if (room < 1) {
    throw new RangeError(
      `encodeBatch: maxLength must leave room for the text: expected more than ${specials} special tokens, got ${maxLength}`,
    );
  }
  const kept = keptLengths(texts.map(lengthOf), room, how);
  const first = texts.map((text, i) => slice(text, firstWindow(lengthOf(text), kept[i]!, side)));
  if (!overflow) return [first];
  const moving = how === 'only_second' ? 1 : 0;
  if (lengthOf(texts[moving]!) > kept[moving]! && stride >= kept[moving]!) {
    throw new RangeError(
      `encodeBatch: stride must be less than the tokens of the text in a row: expected at most ${kept[moving]! - 1}, got ${stride}`,
    );
  }
  const parts = windows(lengthOf(texts[moving]!), kept[moving]!, stride, side);
  return parts.map((part) => first.map((text, i) => (i === moving ? slice(texts[moving]!, part) : text)));
}

function checkTexts(texts: readonly TextTokens[], how: string, overflow: boolean): void {
  if (how === 'only_second' && texts.length < 2) {
    throw new RangeError('encodeBatch: truncation only_second is for pairs: expected [text, textPair], got a text');
  }
  if (overflow && how === 'longest_first' && texts.length > 1) {
    throw new RangeError(
      'encodeBatch: returnOverflowingTokens of pairs moves over one of the texts: expected truncation only_first or ' +
        'only_second, got longest_first',
    );
  }
}

const lengthOf = ({ ids }: TextTokens) => ids.length;

function slice({ ids, offsets }: TextTokens, [start, end]: readonly [number, number]): TextTokens {
  return { ids: ids.slice(start, end), offsets: offsets?.slice(start, end) ?? null };
}

function padRows(rows: Encoding[], padding: BatchPlan['padding']): Encoding[] {
  if (!padding) return rows;
  const longest = rows.reduce((most, { inputIds }) => Math.max(most, inputIds.length), 0);
  const wanted = padding.to === 'longest' ? longest : padding.to;
  const length = Math.ceil(wanted / padding.multiple) * padding.multiple;
  return rows.map((row) => padEncoding(row, length, padding.id, padding.side));
}
