/**
 * Changes the logits of one row in place before a token is drawn. `ids` are the row's tokens so far. By Hugging Face's
 * names and formulas; a removed token has −∞.
 */
export type LogitsProcessor = (logits: Float32Array, ids: readonly number[]) => void;

/** Divides by the temperature. @throws RangeError unless it is greater than 0 */
export function temperature(value: number): LogitsProcessor {
  if (!(value > 0))
    throw new RangeError(
      `temperature: must be greater than 0, got ${value}; for the likeliest token use doSample: false`,
    );
  return (logits) => {
    for (let i = 0; i < logits.length; i++) logits[i]! /= value;
  };
}

/** Keeps the k largest, and those equal to the smallest of them. */
export function topK(k: number): LogitsProcessor {
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`topK: must be a whole number of 1 or more, got ${k}`);
  return (logits) => {
    const bound = Float32Array.from(logits).sort().at(-Math.min(k, logits.length))!;
    for (let i = 0; i < logits.length; i++) if (logits[i]! < bound) logits[i] = -Infinity;
  };
}

/**
 * Nucleus sampling: drops the least likely tokens whose probabilities together are 1 − p or less; keeps one at least
 * (Holtzman et al. 2020, https://arxiv.org/abs/1904.09751).
 */
export function topP(p: number): LogitsProcessor {
  if (!(p > 0 && p <= 1)) throw new RangeError(`topP: must be in (0, 1], got ${p}`);
  return (logits) => {
    const probabilities = softmaxRow(logits);
    const ascending = Array.from(logits.keys()).sort((a, b) => logits[a]! - logits[b]!);
    let cumulative = 0;
    for (const token of ascending.slice(0, -1)) {
      cumulative += probabilities[token]!;
      if (cumulative > 1 - p) break;
      logits[token] = -Infinity;
    }
  };
}

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

/** Probabilities of one row, in float64. */
export function softmaxRow(logits: ArrayLike<number>): Float64Array {
  const values = Float64Array.from(logits);
  const max = values.reduce((a, b) => Math.max(a, b), -Infinity);
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    values[i] = Math.exp(values[i]! - max);
    sum += values[i]!;
  }
  return values.map((value) => value / sum);
}

/** The token at `u` in [0, 1) of the cumulative distribution. */
export function drawToken(logits: ArrayLike<number>, u: number): number {
  const probabilities = softmaxRow(logits);
  let cumulative = 0;
  let last = 0;
  for (let token = 0; token < probabilities.length; token++) {
    if (probabilities[token] === 0) continue;
    cumulative += probabilities[token]!;
    last = token;
    if (u < cumulative) return token;
  }
  return last; // rounding left a little above the sum
}

/** The first token of the largest logit. */
export function likeliestToken(logits: ArrayLike<number>): number {
  let best = 0;
  for (let token = 1; token < logits.length; token++) if (logits[token]! > logits[best]!) best = token;
  return best;
}
