import type { DeviceBuffer } from '../device.js';
import type { HeadStrides } from '../kernels/attention.js';
import { type Launcher, Scratch } from './launcher.js';
import { gather, scatter } from './movement.js';

/** A buffer, or memory that a kernel uses for itself. */
export type Memory = DeviceBuffer | Scratch;

/** Vectors of `size` for each batch, head and token, as they lie in a buffer. */
export interface Heads {
  readonly memory: DeviceBuffer;
  readonly strides: HeadStrides;
  readonly batch: number;
  readonly heads: number;
  readonly tokens: number;
  readonly size: number;
}

/** Scratch that lives until `close()`. */
export class Workspace {
  readonly launcher: Launcher;
  readonly #taken: Scratch[] = [];

  constructor(launcher: Launcher) {
    this.launcher = launcher;
  }

  take(floats: number): Scratch {
    const scratch = new Scratch(this.launcher.backend.allocate(floats), floats);
    this.#taken.push(scratch);
    return scratch;
  }

  close(): void {
    for (const { storage } of this.#taken) this.launcher.backend.release(storage);
    this.#taken.length = 0;
  }
}

/** Whether it lies as `[batch, heads, tokens, size]` without gaps. */
function isPacked({ strides, batch, heads, tokens, size }: Heads): boolean {
  return (
    (tokens === 1 || strides.token === size) &&
    (heads === 1 || strides.head === tokens * size) &&
    (batch === 1 || strides.batch === heads * tokens * size)
  );
}

/** The tokens `start .. end` as `[batch, heads, end − start, size]`: the buffer itself where it lies so, else a copy. */
export function packedTokens(work: Workspace, from: Heads, start: number, end: number): Memory {
  if (start === 0 && end === from.tokens && isPacked(from)) return from.memory;
  const { memory, strides, batch, heads, size } = from;
  const shape = [batch, heads, end - start, size];
  const copy = work.take(batch * heads * (end - start) * size);
  gather(work.launcher, memory, copy, shape, stridesOf(strides), start * strides.token);
  return copy;
}

/** Where to put `[batch, heads, end − start, size]`, and what takes it to its place once it is there. */
export function placeForTokens(
  work: Workspace,
  to: Heads,
  start: number,
  end: number,
): { memory: Memory; place: () => void } {
  const { memory, strides, batch, heads, tokens, size } = to;
  if (start === 0 && end === tokens && isPacked(to)) return { memory, place: () => {} };
  const part = work.take(batch * heads * (end - start) * size);
  const shape = [batch, heads, end - start, size];
  const place = () => scatter(work.launcher, part, memory, shape, stridesOf(strides), start * strides.token);
  return { memory: part, place };
}

function stridesOf({ batch, head, token }: HeadStrides): number[] {
  return [batch, head, token, 1];
}
