import { cpu } from '../cpu/index.js';
import type { AttentionArguments } from '../kernels/attention.js';
import type { RandomStream } from '../kernels/random.js';
import type { Block } from './attention-block.js';
import type { Memory, Workspace } from './heads.js';
import { family, type GpuFunction, gpuKernel, type ScalarType } from './kernel.js';
import { type LaunchInput, view } from './launcher.js';
import { philoxUniform, STREAM, streamScalars } from './philox.js';

/** How a kernel comes by the random numbers of a block: from their place in the stream, or from an input `u`. */
export type DropSource = 'stream' | 'numbers';

/** A block's dropout, as a kernel takes it. */
export interface Drop {
  readonly source: DropSource;
  readonly inputs: readonly LaunchInput[]; // u, or none
  readonly scalars: readonly number[]; // of DROP_SCALARS
}

const BY_STREAM: Readonly<Record<string, ScalarType>> = {
  ...{ dropout: 'Float', kept: 'Float', firstQuery: 'Integer', firstKey: 'Integer' },
  ...{ queries: 'Integer', keys: 'Integer' },
  ...STREAM,
};

export const DROP_SCALARS: Readonly<Record<DropSource, Readonly<Record<string, ScalarType>>>> = {
  stream: BY_STREAM,
  numbers: { dropout: 'Float', kept: 'Float' },
};

export const DROP_INPUTS: Readonly<Record<DropSource, readonly string[]>> = { stream: [], numbers: ['u'] };

export const DROP_FUNCTIONS: Readonly<Record<DropSource, readonly GpuFunction[]>> = {
  stream: [philoxUniform],
  numbers: [],
};

/** The number of the thread's probability: less than `dropout`, it is dropped; else it counts `kept` times. */
export const DROP_NUMBER: Readonly<Record<DropSource, string>> = {
  stream:
    'philoxUniform((this.thread.z * queries + this.thread.y + firstQuery) * keys + this.thread.x + firstKey, ' +
    'seedLow, seedHigh, offsetLow, offsetHigh)',
  numbers: 'u[this.thread.z][this.thread.y][this.thread.x]',
};

const dropProbabilities = family((source: DropSource) =>
  gpuKernel(
    `dropProbabilities(${source})`,
    ['p', ...DROP_INPUTS[source]],
    DROP_SCALARS[source],
    `if (${DROP_NUMBER[source]} < dropout) { return 0; }
     return p[this.thread.z][this.thread.y][this.thread.x] * kept;`,
    { functions: DROP_FUNCTIONS[source] },
  ),
);

/** The dropout of a block, or null where there is none. GL has no integers to draw numbers with: they are uploaded. */
export function dropOf(work: Workspace, args: AttentionArguments, block: Block): Drop | null {
  const { dropout, stream, queries, keys } = args;
  if (dropout === 0 || !stream) return null;
  const odds = [dropout, 1 / (1 - dropout)];
  if (work.launcher.webGpu) {
    const scalars = [...odds, block.start, block.firstKey, queries, keys, ...streamScalars(stream)];
    return { source: 'stream', inputs: [], scalars };
  }
  const numbers = blockNumbers(args, block, stream);
  const u = work.take(numbers.length);
  work.launcher.backend.write(u.storage, 0, numbers);
  return { source: 'numbers', inputs: [view(u, block.columns, block.rows)], scalars: odds };
}

/** `to = drop(p)` for a block. */
export function dropInto(
  { launcher }: Workspace,
  { batch, heads }: AttentionArguments,
  { rows, columns }: Block,
  { source, inputs, scalars }: Drop,
  p: Memory,
  to: Memory,
): void {
  const threads = [columns, rows, batch * heads] as const;
  launcher.launch(dropProbabilities(source), to, threads, [view(p, columns, rows), ...inputs], scalars);
}

/** The numbers of a block, `[batch · heads, rows, columns]`, drawn on the host. */
function blockNumbers(args: AttentionArguments, block: Block, stream: RandomStream): Float32Array {
  const { batch, heads, queries, keys } = args;
  const { start, firstKey, lastKey, rows, columns } = block;
  const numbers = new Float32Array(batch * heads * rows * columns);
  for (let z = 0; z < batch * heads; z++) {
    const all = hostUniform(stream, (z * queries + start) * keys, rows * keys);
    for (let i = 0; i < rows; i++) {
      numbers.set(all.subarray(i * keys + firstKey, i * keys + lastKey), (z * rows + i) * columns);
    }
  }
  return numbers;
}

/** Elements `first .. first + count` of a stream. */
function hostUniform(stream: RandomStream, first: number, count: number): Float32Array {
  const skipped = first % 4; // a counter stands for four elements
  const host = cpu().memory.allocate(4 * (skipped + count));
  try {
    cpu().kernels.uniform(host, skipped + count, 0, 1, advanced(stream, (first - skipped) / 4));
    return new Float32Array(cpu().readNow(host).slice().buffer).subarray(skipped);
  } finally {
    cpu().memory.free(host);
  }
}

function advanced({ offsetLow, offsetHigh, ...seed }: RandomStream, counters: number): RandomStream {
  const low = offsetLow + counters;
  return { ...seed, offsetLow: low % 2 ** 32, offsetHigh: (offsetHigh + Math.floor(low / 2 ** 32)) % 2 ** 32 };
}
