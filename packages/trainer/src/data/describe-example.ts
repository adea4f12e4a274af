import { DataError } from '../errors.js';
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
 * @throws DataError if labels are not one for each token: see {@link describePair}
 * @example
 * describeExample({ inputIds: [5, 6, 7], labels: [-100, -100, 7] });
 * // 3 tokens, 1 trained
 * // masked   5 6
 * // trained  7
 */
export function describeExample(example: Example, tokenizer?: Decoder): string {
  const ids = Array.from(example.inputIds);
  const { labels } = example;
  if (typeof labels === 'number') {
    return `${ids.length} tokens, class ${labels}\ninput    ${shown(ids, tokenizer)}`;
  }
  if (labels && labels.length !== ids.length) {
    throw new DataError(
      `describeExample: labels must be one for each token: expected ${ids.length}, got ${labels.length}; ` +
        'describePair shows a source with its target',
    );
  }
  const trained = ids.map((_, t) => t > 0 && tokenLabels(example, t) !== IGNORE_INDEX);
  return [`${ids.length} tokens, ${count(trained)} trained`, ...runs(ids, trained, tokenizer)].join('\n');
}

/**
 * A source with its target, as `seq2seqCollator` takes them, in words as {@link describeExample} has them. Of the target,
 * labels are all that there is: what is masked shows as its count.
 *
 * @throws DataError if the labels are no target's
 * @example
 * describePair({ inputIds: [5, 6, 7], labels: [-100, 8, 2] });
 * // 3 source tokens, 3 target tokens, 2 trained
 * // source   5 6 7
 * // masked   1 token
 * // trained  8 2
 */
export function describePair({ inputIds, labels }: Example, tokenizer?: Decoder): string {
  if (labels === undefined || typeof labels === 'number') {
    throw new DataError(`describePair: labels must be the target's tokens: expected a list, got ${labels ?? 'none'}`);
  }
  const [source, target] = [Array.from(inputIds), Array.from(labels)];
  const trained = target.map((label) => label !== IGNORE_INDEX);
  const head = `${source.length} source tokens, ${target.length} target tokens, ${count(trained)} trained`;
  return [head, `source   ${shown(source, tokenizer)}`, ...runs(target, trained, tokenizer)].join('\n');
}

function count(trained: readonly boolean[]): number {
  return trained.filter(Boolean).length;
}

function shown(run: readonly number[], tokenizer: Decoder | undefined): string {
  return tokenizer ? JSON.stringify(tokenizer.decode(run)) : run.join(' ');
}

/** A line for each run of tokens with the same mask. */
function runs(ids: readonly number[], trained: readonly boolean[], tokenizer: Decoder | undefined): string[] {
  const lines: string[] = [];
  for (let start = 0; start < ids.length; ) {
    let end = start + 1;
    while (end < ids.length && trained[end] === trained[start]) end++;
    const run = ids.slice(start, end);
    const hidden =
      run[0] === IGNORE_INDEX ? `${run.length} token${run.length === 1 ? '' : 's'}` : shown(run, tokenizer);
    lines.push(`${trained[start] ? 'trained' : 'masked '}  ${hidden}`);
    start = end;
  }
  return lines;
}
