import { softmaxRow } from './draw-token.js';
import type { LogitsProcessor } from './logits-processors.js';

/** Divides by the temperature. @throws RangeError unless it is greater than 0, or, later, if a logit overflows */
export function temperature(value: number): LogitsProcessor {
  const refuse = (rule: string) => {
    throw new RangeError(`temperature: ${rule}, got ${value}; for the likeliest token use doSample: false`);
  };
  if (!(value > 0)) refuse('must be greater than 0');
  return (logits) => {
    for (let i = 0; i < logits.length; i++) {
      const logit = logits[i]!;
      logits[i] = logit / value;
      if (logits[i] === Infinity && logit < Infinity) refuse(`must leave logits of ${logit} finite`);
    }
  };
}

/** Keeps the k largest, and those equal to the smallest of them. */
export function topK(k: number): LogitsProcessor {
  if (!Number.isInteger(k) || k < 1) throw new RangeError(`topK: must be a whole number of 1 or more, got ${k}`);
  return (logits) => {
    const bound = logits.slice().sort().at(-Math.min(k, logits.length))!;
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
    const left = Array.from(logits.keys()).filter((token) => logits[token]! > -Infinity); // topK leaves few
    const ascending = left.sort((a, b) => logits[a]! - logits[b]!);
    let cumulative = 0;
    for (const token of ascending.slice(0, -1)) {
      cumulative += probabilities[token]!;
      if (cumulative > 1 - p) break;
      logits[token] = -Infinity;
    }
  };
}

/**
 * Drops tokens that are less than p times as likely as the likeliest one (Nguyen et al. 2024,
 * https://arxiv.org/abs/2407.01082).
 */
export function minP(p: number): LogitsProcessor {
  if (!(p >= 0 && p <= 1)) throw new RangeError(`minP: must be in [0, 1], got ${p}`);
  return (logits) => {
    const bound = logits.reduce((max, logit) => Math.max(max, logit), -Infinity) + Math.log(p);
    for (let i = 0; i < logits.length; i++) if (logits[i]! < bound) logits[i] = -Infinity;
  };
}
