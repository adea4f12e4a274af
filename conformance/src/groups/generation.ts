import {
  type LogitsProcessor,
  likeliestToken,
  processorsOf,
  repetitionPenalty,
  softmaxRow,
  temperature,
  topK,
  topP,
} from '@burin/models';
import { type Case, Unsupported } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import type { Outcome } from '../outcome.js';

/** Logits processors one by one and in a chain, and the greedy choice. */
export async function generation(c: Case): Promise<Outcome> {
  if (c.config.number('min_tokens_to_keep', 1) !== 1) throw new Unsupported('min_tokens_to_keep other than 1');
  const tensors: Record<string, HostTensor> = { greedy: greedy(c.host('logits')) };
  for (const [name, processors] of Object.entries(processorsBy(c))) {
    const rows = processed(c, processors);
    tensors[`${name}.logits`] = join(rows, Float32Array);
    tensors[`${name}.probs`] = join(rows.map(softmaxRow), Float64Array);
  }
  return { tensors };
}

function processorsBy(c: Case): Record<string, LogitsProcessor[]> {
  const { config } = c;
  const own = {
    temperature: config.number('temperature'),
    topK: config.number('top_k'),
    topP: config.number('top_p'),
    repetitionPenalty: config.number('repetition_penalty'),
  };
  return {
    temperature: [temperature(own.temperature)],
    top_k: [topK(own.topK)],
    top_p: [topP(own.topP)],
    top_p_small: [topP(c.noted(/top_p_small uses top_p = ([\d.]*\d)/))],
    repetition_penalty: [repetitionPenalty(own.repetitionPenalty)],
    top_k_then_top_p: [topK(own.topK), topP(own.topP)],
    chain: processorsOf({ doSample: true, ...own }),
  };
}

function processed(c: Case, processors: readonly LogitsProcessor[]): Float32Array[] {
  const ids = rowsOf(c.host('input_ids')).map((row) => Array.from(row));
  return rowsOf(c.host('logits')).map((row, r) => {
    const logits = Float32Array.from(row);
    for (const process of processors) process(logits, ids[r]!);
    return logits;
  });
}

function greedy(logits: HostTensor): HostTensor {
  const data = Int32Array.from(rowsOf(logits), likeliestToken);
  return { shape: [data.length], data };
}

function rowsOf({ shape: [count, width], data }: HostTensor) {
  return Array.from({ length: count! }, (_, r) => data.subarray(r * width!, (r + 1) * width!));
}

function join<T extends Float32Array | Float64Array>(
  rows: readonly T[],
  kind: { from(values: Iterable<number>): T },
): HostTensor {
  const data = kind.from(rows.flatMap((row) => Array.from(row)));
  return { shape: [rows.length, data.length / rows.length], data };
}
