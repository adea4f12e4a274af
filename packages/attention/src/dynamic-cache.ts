import { checkOptions, type Tensor } from '@burin/tensor';
import type { HeldTokens, KeyValueCache } from './key-value-cache.js';
import { TokenRoom } from './token-room.js';

/**
 * Past keys and values that grow with the text: room doubles when it is full.
 *
 * @example
 * const cache = new DynamicCache();
 * noGrad(() => attention.forward(x, { cache }));
 */
export class DynamicCache implements KeyValueCache {
  private readonly firstCapacity: number;
  private readonly room = new TokenRoom('DynamicCache');

  /**
   * @param options.capacity - tokens to make room for at first. Default 256.
   * @throws RangeError if it is not a whole number of 1 or more, or an option is none
   */
  constructor(options: { capacity?: number } = {}) {
    checkOptions('DynamicCache', options, ['capacity']);
    const { capacity = 256 } = options;
    if (!(Number.isInteger(capacity) && capacity >= 1)) {
      throw new RangeError(`DynamicCache: capacity must be a whole number of 1 or more, got ${capacity}`);
    }
    this.firstCapacity = capacity;
  }

  get length(): number {
    return this.room.used;
  }

  /** Tokens that fit before the memory must grow. */
  get capacity(): number {
    return this.room.capacity;
  }

  get byteLength(): number {
    return this.room.byteLength;
  }

  update(keys: Tensor, values: Tensor): HeldTokens {
    this.room.admit(keys, values, (k, v) => {
      const needed = Math.max(1, this.length + k.shape[1]!); // a text may begin with no tokens
      if (needed > this.capacity) {
        this.room.reserve(Math.max(needed, 2 * this.capacity, this.firstCapacity), k, v);
      }
      this.room.append(k, v);
    });
    return this.held();
  }

  held(): HeldTokens {
    return this.room.held();
  }

  /** Forgets all tokens but the first `length`; the memory stays. @throws RangeError if fewer are held */
  truncate(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.length) {
      throw new RangeError(
        `DynamicCache.truncate: length must be from 0 to the ${this.length} tokens held, got ${length}`,
      );
    }
    this.room.truncate(length);
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
