import { cat, type Tensor } from '@burin/tensor';
import type { HeldTokens, KeyValueCache } from './key-value-cache.js';
import { TokenRoom } from './token-room.js';

/**
 * Past keys and values of a layer whose queries see `window` positions, their own among them: older tokens are let go, so
 * that memory does not grow with the text. What comes out is what a full cache gives.
 *
 * There is room for the window and a quarter: tokens move to the front when that is full, which is four tokens moved for
 * each one added, and not all of them.
 *
 * @example
 * const cache = new SlidingCache({ window: 4096 });
 */
export class SlidingCache implements KeyValueCache {
  readonly window: number;
  private readonly room = new TokenRoom('SlidingCache');
  private seen = 0;

  /** @throws RangeError if `window` is not a whole number of 1 or more */
  constructor({ window }: { window: number }) {
    if (!(Number.isInteger(window) && window >= 1)) {
      throw new RangeError(`SlidingCache: window must be a whole number of 1 or more, got ${window}`);
    }
    this.window = window;
  }

  get length(): number {
    return this.seen;
  }

  get byteLength(): number {
    return this.room.byteLength;
  }

  /** Tokens held at most: those before a query in its window, and room to work in. */
  private get mostHeld(): number {
    return this.window - 1 + Math.ceil(this.window / 4);
  }

  update(keys: Tensor, values: Tensor): HeldTokens {
    const { room } = this;
    return room.admit(keys, values, (k, v) => {
      const added = k.shape[1]!;
      if (room.used + added > this.mostHeld) room.keepLast(Math.min(room.used, this.window - 1));
      if (room.used + added > this.mostHeld) return this.passThrough(k, v);
      const needed = Math.max(1, room.used + added); // a text may begin with no tokens
      if (needed > room.capacity) room.reserve(Math.min(this.mostHeld, Math.max(needed, 2 * room.capacity)), k, v);
      room.append(k, v);
      this.seen += added;
      return this.held();
    });
  }

  /** More new tokens than are ever held: a long prompt. Its queries see all that it brings; the last ones are held. */
  private passThrough(k: Tensor, v: Tensor): HeldTokens {
    const { room } = this;
    const before = room.used > 0 ? room.held() : null;
    const joined = (past: Tensor | undefined, x: Tensor) => (past ? cat([past.narrow(1, 0, before!.count), x], 1) : x);
    const all = { keys: joined(before?.keys, k), values: joined(before?.values, v) };
    const count = all.keys.shape[1]!;
    const last = Math.min(count, this.window - 1);
    room.truncate(0);
    room.reserve(Math.max(1, last), k, v);
    this.seen += k.shape[1]!;
    if (last > 0) room.append(all.keys.narrow(1, count - last, last), all.values.narrow(1, count - last, last));
    return { ...all, count, start: this.seen - count };
  }

  held(): HeldTokens {
    return this.room.held(this.seen - this.room.used);
  }

  reorder(order: ArrayLike<number>): void {
    this.room.reorder(order);
  }

  reset(): void {
    this.room.truncate(0);
    this.seen = 0;
  }

  dispose(): void {
    this.room.dispose();
    this.seen = 0;
  }
}
