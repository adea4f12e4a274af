import type { Encoding } from './encoding.js';
import type { Side } from './truncation.js';

/** Fills a row up to `length` on one side; padding has attention 0, segment 0 and no place in any text. */
export function padEncoding(row: Encoding, length: number, padId: number, side: Side): Encoding {
  const missing = length - row.inputIds.length;
  if (missing <= 0) return row;
  const fill = <T>(values: readonly T[], value: T): T[] => {
    const padding = new Array<T>(missing).fill(value);
    return side === 'right' ? [...values, ...padding] : [...padding, ...values];
  };
  return {
    inputIds: fill(row.inputIds, padId),
    attentionMask: fill(row.attentionMask, 0),
    tokenTypeIds: fill(row.tokenTypeIds, 0),
    specialTokensMask: fill(row.specialTokensMask, 1),
    sequenceIds: fill(row.sequenceIds, null),
    ...(row.offsets && { offsets: fill(row.offsets, null) }),
    sample: row.sample,
  };
}
