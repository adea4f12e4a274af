import type { Tensor } from '@burin/tensor';
import type { HeldTokens, KeyValueCache } from './key-value-cache.js';
import { TokenRoom } from './token-room.js';

/**
 * Past keys and values in memory that is taken once, with the first tokens, for as many as there may be: it does not
 * grow, so what a text will take is known before it is written.
 *
 * @example
 * const cache = new StaticCache({ maxLength: 2048 });
 */
export class StaticCache implements KeyValueCache {
  /** The most tokens; more are an error. */
  readonly maxLength: number;
  private readonly room = new TokenRoom('StaticCache');

  /** @throws RangeError if `maxLength` is not a whole number of 1 or more */
  constructor({ maxLength }: { maxLength: number }) {
    if (!(Number.isInteger(maxLength) && maxLength >= 1)) {
      throw new RangeError(`StaticCache: maxLength must be a whole number of 1 or more, got ${maxLength}`);
    }
    this.maxLength = maxLength;
  }

  get length(): number {
    return this.room.used;
  }

  get byteLength(): number {
    return this.room.byteLength;
  }

  update(keys: Tensor, values: Tensor): HeldTokens {
    this.room.admit(keys, values, (k, v) => {
      const added = k.shape[1]!;
      if (this.length + added > this.maxLength) {
        throw new RangeError(
          `StaticCache.update: the cache holds at most ${this.maxLength} tokens, got ${this.length} + ${added}`,
        );
      }
      this.room.reserve(this.maxLength, k, v);
      this.room.append(k, v);
    });
    return this.held();
  }

  held(): HeldTokens {
    return this.room.held();
  }

  reorder(order: ArrayLike<number>): void {
    this.room.reorder(order);
  }

  reset(): void {
    this.room.truncate(0);
  }

  dispose(): void {
    this.room.dispose();
  }
}
