import { checkOptions, keep, scope, Tensor } from '@burin/tensor';
import type { HeldTokens, KeyValueCache } from './key-value-cache.js';
import { evenSteps, PackedTokens, type Packing } from './packed-tokens.js';
import { TokenRoom } from './token-room.js';

/** How a {@link QuantizedCache} packs. */
export interface QuantizedCacheOptions {
  /** Bits a number: 8 (default) or 4. */
  bits?: 4 | 8;
  /** Numbers that share a scale, an even number. Default 32. */
  blockSize?: number;
  /** Newest tokens that stay float32, up to this many: then they are packed together. Default 128. */
  residualLength?: number;
}

interface Stretch {
  keys: PackedTokens;
  values: PackedTokens;
}

/**
 * Past keys and values in 8 or 4 bits, but for the newest tokens, which stay float32 until they are `residualLength` many.
 * A number comes back with an error of at most 1/254 (8 bits) or 0.152 (4 bits) of the largest |value| in its block.
 * While a layer attends, its keys and values exist as float32 too, one layer at a time: it saves memory, not time.
 *
 * Blocks of keys run along a channel, from token to token, and blocks of values along a token.
 *
 * @see Liu et al. 2024, https://arxiv.org/abs/2402.02750
 * @example
 * const cache = new QuantizedCache({ bits: 4 });
 */
export class QuantizedCache implements KeyValueCache {
  readonly residualLength: number;
  private readonly packing: Omit<Packing, 'along'>;
  private readonly stretches: Stretch[] = []; // residualLength tokens each, the oldest first
  private readonly residual = new TokenRoom('QuantizedCache');
  private steps: Tensor | null = null; // [256]

  /** @throws RangeError if an option is out of range, or none */
  constructor(options: QuantizedCacheOptions = {}) {
    checkOptions('QuantizedCache', options, ['bits', 'blockSize', 'residualLength']);
    const { bits = 8, blockSize = 32, residualLength = 128 } = options;
    if (bits !== 4 && bits !== 8) throw new RangeError(`QuantizedCache: bits must be 4 or 8, got ${bits}`);
    if (!(Number.isInteger(blockSize) && blockSize >= 2 && blockSize % 2 === 0)) {
      throw new RangeError(`QuantizedCache: blockSize must be an even number of 2 or more, got ${blockSize}`);
    }
    if (!(Number.isInteger(residualLength) && residualLength >= 1 && residualLength % blockSize === 0)) {
      throw new RangeError(
        `QuantizedCache: residualLength must be a multiple of blockSize, so that no block crosses rows: ` +
          `expected a multiple of ${blockSize}, got ${residualLength}`,
      );
    }
    this.packing = { bits, blockSize };
    this.residualLength = residualLength;
  }

  get length(): number {
    return this.packedLength + this.residual.used;
  }

  get byteLength(): number {
    const packed = this.stretches.reduce((sum, { keys, values }) => sum + keys.byteLength + values.byteLength, 0);
    return packed + this.residual.byteLength + (this.steps?.byteLength ?? 0);
  }

  private get packedLength(): number {
    return this.stretches.length * this.residualLength;
  }

  update(keys: Tensor, values: Tensor): HeldTokens {
    return this.residual.admit(keys, values, (k, v) => {
      this.steps ??= keep(evenSteps(k));
      this.residual.reserve(this.residualLength, k, v);
      const all = this.unpack(k, v);
      this.store(all, k, v);
      return all; // as they came, also those that were packed just now
    });
  }

  held(): HeldTokens {
    const { keys, values } = this.residual.held();
    return scope(() => this.unpack(keys.narrow(1, 0, 0), values.narrow(1, 0, 0)));
  }

  /** All tokens as float32, and k and v after them. */
  private unpack(k: Tensor, v: Tensor): HeldTokens {
    const count = this.length + k.shape[1]!;
    const fresh = (like: Tensor) => Tensor.allocate(like.shape.with(1, count), 'float32', like.device);
    const all = { keys: fresh(k), values: fresh(v) };
    for (const [i, stretch] of this.stretches.entries()) {
      const start = i * this.residualLength;
      stretch.keys.unpackInto(all.keys, start, this.steps!);
      stretch.values.unpackInto(all.values, start, this.steps!);
    }
    const { used } = this.residual;
    const residual = this.residual.held();
    if (used > 0) all.keys.assign_(residual.keys.narrow(1, 0, used), 1, this.packedLength);
    if (used > 0) all.values.assign_(residual.values.narrow(1, 0, used), 1, this.packedLength);
    if (k.shape[1]! > 0) all.keys.assign_(k, 1, this.length);
    if (k.shape[1]! > 0) all.values.assign_(v, 1, this.length);
    return { ...all, count, start: 0 };
  }

  /** Packs as many whole stretches as there are by now; the rest stays float32. */
  private store({ keys, values, count }: HeldTokens, k: Tensor, v: Tensor): void {
    const { residual, residualLength: length, packing } = this;
    if (count - this.packedLength < length) {
      residual.append(k, v);
      return;
    }
    residual.truncate(0);
    while (count - this.packedLength >= length) {
      const pack = (x: Tensor, along: Packing['along']) =>
        new PackedTokens(x.narrow(1, this.packedLength, length), this.steps!, { ...packing, along });
      this.stretches.push({ keys: pack(keys, 'channel'), values: pack(values, 'token') });
    }
    const rest = count - this.packedLength;
    const last = (x: Tensor) => x.narrow(1, this.packedLength, rest);
    if (rest > 0) residual.append(last(keys), last(values));
  }

  reorder(order: ArrayLike<number>): void {
    this.residual.reorder(order);
    for (const { keys, values } of this.stretches) {
      keys.reorder(order);
      values.reorder(order);
    }
  }

  reset(): void {
    for (const { keys, values } of this.stretches.splice(0)) {
      keys.dispose();
      values.dispose();
    }
    this.residual.truncate(0);
  }

  dispose(): void {
    this.reset();
    this.residual.dispose();
    this.steps?.dispose();
    this.steps = null;
  }
}
