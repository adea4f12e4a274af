import { checkInputIds, checkTokenLabels } from './checks.js';
import { type CollatorOptions, checkCollator, tokenLabels } from './collators.js';
import type { Example } from './example.js';
import { type Collator, IGNORE_INDEX, type PackedBatch } from './host-batch.js';

/**
 * Batches for causal language models without padding between examples: several lie one after another in a row of
 * `maxLength` tokens. `segments` `[B, T]` tells them apart (0, 1, 2 ...; −1 is padding) and `positions` (`ids`
 * `[B, T]`, and `max`, the largest of them) start again at 0 with each, so that none sees another or another's positions. The label of each one's first token is −100.
 *
 * The examples of a batch are placed one by one in the first row with room. The model must take `segments` and `positions`.
 *
 * @param options.maxLength - tokens of a row; an example that is longer is cut. Needed.
 * @throws DataError from the collator, naming the example
 */
export function packedCollator(options: CollatorOptions & { maxLength: number }): Collator<Example, PackedBatch> {
  checkCollator('packedCollator', options);
  const { maxLength, padTokenId = 0 } = options;
  if (maxLength === undefined) throw new RangeError('packedCollator: maxLength, the tokens of a row, must be given');
  return (examples, indices) => {
    for (const [i, example] of examples.entries()) {
      checkInputIds('packedCollator', example, indices[i] ?? i, options);
      checkTokenLabels('packedCollator', example, indices[i] ?? i, options);
    }
    const rows = placeInRows(examples, maxLength);
    const length = Math.max(...rows.map(({ used }) => used));
    const shape = [rows.length, length];
    const filled = (value: number) => new Int32Array(rows.length * length).fill(value);
    const [inputIds, labels] = [filled(padTokenId), filled(IGNORE_INDEX)];
    const [segments, positions] = [filled(-1), filled(0)];
    for (const [row, { members }] of rows.entries()) {
      let at = row * length;
      for (const [segment, example] of members.entries()) {
        const end = Math.min(maxLength, example.inputIds.length);
        for (let t = 0; t < end; t++, at++) {
          inputIds[at] = example.inputIds[t]!;
          labels[at] = t === 0 ? IGNORE_INDEX : tokenLabels(example, t);
          segments[at] = segment;
          positions[at] = t;
        }
      }
    }
    const attentionMask = Uint8Array.from(segments, (segment) => (segment < 0 ? 0 : 1));
    const of = (data: Int32Array | Uint8Array) => ({ data, shape });
    const inputs = {
      inputIds: of(inputIds),
      labels: of(labels),
      segments: of(segments),
      positions: { ids: of(positions), max: positions.reduce((most, position) => Math.max(most, position), 0) },
      attentionMask: of(attentionMask),
    };
    return { inputs, labelShift: 1 };
  };
}

interface Row {
  used: number;
  members: Example[];
}

function placeInRows(examples: readonly Example[], maxLength: number): Row[] {
  const rows: Row[] = [];
  for (const example of examples) {
    const length = Math.min(maxLength, example.inputIds.length);
    let row = rows.find(({ used }) => used + length <= maxLength);
    if (!row) {
      row = { used: 0, members: [] };
      rows.push(row);
    }
    row.used += length;
    row.members.push(example);
  }
  return rows;
}
