/** How far a row has come. */
export interface RowProgress {
  /** Its first tokens, which were given. */
  promptLength: number;
  /** The most tokens that are added. */
  maxNewTokens: number;
}

/**
 * Changes the logits of one row in place before a token is chosen: log probabilities, in beam search. `ids` are the row's
 * tokens so far. By Hugging Face's names and formulas; a removed token has −∞.
 */
export type LogitsProcessor = (logits: Float32Array, ids: readonly number[], row?: RowProgress) => void;

const remove = (logits: Float32Array, tokens: readonly number[]) => {
  for (const token of tokens) if (token < logits.length) logits[token] = -Infinity;
};

/** Divides positive logits of tokens already there by the penalty, multiplies negative ones (Keskar et al. 2019). */
export function repetitionPenalty(penalty: number): LogitsProcessor {
  if (!(penalty > 0)) throw new RangeError(`repetitionPenalty: must be greater than 0, got ${penalty}`);
  return (logits, ids) => {
    for (const id of new Set(ids)) {
      const logit = logits[id];
      if (logit !== undefined) logits[id] = logit > 0 ? logit / penalty : logit * penalty;
    }
  };
}

/**
 * Takes `presence` from the logit of each token that was added already, and `frequency` as often as it was: the penalties
 * of OpenAI's interface. The prompt does not count. Negative ones make repetition likelier.
 *
 * @throws RangeError if one is not a finite number
 */
export function occurrencePenalties({ presence = 0, frequency = 0 }): LogitsProcessor {
  for (const [name, value] of Object.entries({ presencePenalty: presence, frequencyPenalty: frequency })) {
    if (!Number.isFinite(value)) throw new RangeError(`${name}: must be a finite number, got ${value}`);
  }
  return (logits, ids, row) => {
    const counts = new Map<number, number>();
    for (const id of ids.slice(row?.promptLength ?? 0)) counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const [id, count] of counts) logits[id]! -= presence + frequency * count;
  };
}

/** No n tokens in a row come twice, the prompt's among them (Paulus et al. 2017, https://arxiv.org/abs/1705.04304). */
export function noRepeatNgram(size: number): LogitsProcessor {
  if (!Number.isInteger(size) || size < 1) {
    throw new RangeError(`noRepeatNgramSize: must be a whole number of 1 or more, got ${size}`);
  }
  return (logits, ids) => {
    const start = ids.length - size + 1; // of the tokens that the next one would complete
    for (let at = 0; at + size <= ids.length; at++) {
      const same = ids.slice(start).every((id, i) => ids[at + i] === id);
      if (same) remove(logits, [ids[at + size - 1]!]);
    }
  };
}

/** None of these sequences of tokens is completed. One that is an end token alone counts for nothing. */
export function badWords(sequences: readonly (readonly number[])[], eosTokenIds: readonly number[]): LogitsProcessor {
  if (sequences.some((sequence) => sequence.length === 0)) {
    throw new RangeError('badWordsIds: a sequence must have one token at least, got none');
  }
  const banned = sequences.filter((sequence) => !(sequence.length === 1 && eosTokenIds.includes(sequence[0]!)));
  return (logits, ids) => {
    for (const sequence of banned) {
      const before = sequence.slice(0, -1);
      const start = ids.length - before.length;
      if (start >= 0 && before.every((id, i) => ids[start + i] === id)) remove(logits, [sequence.at(-1)!]);
    }
  };
}

/** The row does not end before it has `minLength` tokens, or `minNewTokens` that were added. */
export function minimumLength(
  { minLength = 0, minNewTokens = 0 }: { minLength?: number; minNewTokens?: number },
  eosTokenIds: readonly number[],
): LogitsProcessor {
  return (logits, ids, row) => {
    if (ids.length < minLength || ids.length - (row?.promptLength ?? 0) < minNewTokens) remove(logits, eosTokenIds);
  };
}

/** After a single token, which a decoder begins with, comes this one. */
export function forcedBos(token: number): LogitsProcessor {
  return (logits, ids) => {
    if (ids.length === 1) logits.fill(-Infinity)[token] = 0;
  };
}

/** The last token that there is room for is one of these. */
export function forcedEos(tokens: readonly number[]): LogitsProcessor {
  return (logits, ids, row) => {
    if (!row || ids.length - row.promptLength !== row.maxNewTokens - 1) return;
    logits.fill(-Infinity);
    for (const token of tokens) logits[token] = 0;
  };
}

/** These tokens never come. */
export function suppressTokens(tokens: readonly number[]): LogitsProcessor {
  return (logits) => remove(logits, tokens);
}

/** These tokens do not come first; `forced`: the first one after a start token is not chosen, so it is the next. */
export function suppressAtBegin(tokens: readonly number[], { forced = false } = {}): LogitsProcessor {
  return (logits, ids, { promptLength } = { promptLength: 0, maxNewTokens: 0 }) => {
    if (ids.length === promptLength + (forced && promptLength === 1 ? 1 : 0)) remove(logits, tokens);
  };
}
