import { tokenLabels } from './collators.js';
import type { Example } from './example.js';
import { IGNORE_INDEX } from './host-batch.js';

/** What turns ids into text. */
export interface Decoder {
  decode(ids: Iterable<number>): string;
}

/**
 * One example in words: each run of tokens with the same mask on a line of its own, so that one sees at a glance what is
 * trained and what is not. With a tokenizer the text is shown, else the ids.
 *
 * @example
 * describeExample({ inputIds: [5, 6, 7], labels: [-100, -100, 7] });
 * // 3 tokens, 1 trained
 * // masked   5 6
 * // trained  7
 */
export function describeExample(example: Example, tokenizer?: Decoder): string {
  const ids = Array.from(example.inputIds);
  const shown = (run: readonly number[]) => (tokenizer ? JSON.stringify(tokenizer.decode(run)) : run.join(' '));
  if (typeof example.labels === 'number') {
    return `${ids.length} tokens, class ${example.labels}\ninput    ${shown(ids)}`;
  }
  const trained = ids.map((_, t) => t > 0 && tokenLabels(example, t) !== IGNORE_INDEX);
  const lines = [`${ids.length} tokens, ${trained.filter(Boolean).length} trained`];
  for (let start = 0; start < ids.length; ) {
    let end = start + 1;
    while (end < ids.length && trained[end] === trained[start]) end++;
    lines.push(`${trained[start] ? 'trained' : 'masked '}  ${shown(ids.slice(start, end))}`);
    start = end;
  }
  return lines.join('\n');
}
