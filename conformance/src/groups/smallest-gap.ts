import type { HostTensor } from '../host-tensor.js';

/** The smallest distance between the two largest logits of the rows that count. */
export function smallestGap({ shape, data }: HostTensor, counts: (row: number) => boolean): number {
  const vocab = shape.at(-1)!;
  let smallest = Infinity;
  for (let row = 0; row < data.length / vocab; row++) {
    if (!counts(row)) continue;
    const [first, second] = data.slice(row * vocab, (row + 1) * vocab).sort((a, b) => b - a);
    smallest = Math.min(smallest, first! - second!);
  }
  return smallest;
}
