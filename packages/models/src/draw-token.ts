/** Probabilities of one row, in float64. */
export function softmaxRow(logits: ArrayLike<number>): Float64Array {
  const { values, sum } = exponentials(logits);
  return values.map((value) => value / sum);
}

/** Logarithms of the probabilities of one row, summed in float64. */
export function logSoftmaxRow(logits: ArrayLike<number>): Float32Array {
  const { max, sum } = exponentials(logits);
  const norm = max + Math.log(sum);
  const logProbabilities = new Float32Array(logits.length);
  for (let i = 0; i < logits.length; i++) logProbabilities[i] = logits[i]! - norm;
  return logProbabilities;
}

function exponentials(logits: ArrayLike<number>) {
  const values = new Float64Array(logits);
  let max = -Infinity;
  for (let i = 0; i < values.length; i++) if (values[i]! > max) max = values[i]!;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    values[i] = values[i] === max ? 1 : Math.exp(values[i]! - max); // also of Infinity, by which a processor forces a token
    sum += values[i]!;
  }
  return { values, max, sum };
}

/** The token at `u` in [0, 1) of the cumulative distribution. */
export function drawToken(logits: ArrayLike<number>, u: number): number {
  const { values, sum } = exponentials(logits);
  let cumulative = 0;
  let last = 0;
  for (let token = 0; token < values.length; token++) {
    if (values[token] === 0) continue;
    cumulative += values[token]! / sum;
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
