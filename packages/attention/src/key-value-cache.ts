import { checkIds } from '@burin/nn';
import { embedding, keep, LifetimeError, noGrad, ShapeError, scope, Tensor, tensor, widen } from '@burin/tensor';

export interface KeyValueCacheOptions {
  /** Tokens to make room for at first. Default 256. */
  capacity?: number;
  /** The most tokens; appending more is an error. Default: no bound. */
  maxLength?: number;
}

interface Room {
  keys: Tensor; // [B, capacity, K, D]
  values: Tensor; // [B, capacity, K, Dv]
}

/**
 * The keys and values of one layer's past tokens. Appended in place; room doubles when it is full, up to `maxLength`. Its
 * memory belongs to no scope: `dispose()` frees it. Nothing is recorded: generate under `noGrad`.
 *
 * @example
 * const cache = new KeyValueCache({ maxLength: 2048 });
 * noGrad(() => attention.forward(x, { cache }));
 */
export class KeyValueCache {
  readonly maxLength: number;
  private readonly firstCapacity: number;
  private room: Room | null = null;
  private used = 0;

  /** @throws RangeError if a length is not a whole number of 1 or more */
  constructor({ capacity = 256, maxLength = Infinity }: KeyValueCacheOptions = {}) {
    if (!(maxLength >= 1) || !(Number.isInteger(capacity) && capacity >= 1)) {
      throw new RangeError(
        `KeyValueCache: lengths must be 1 or more, got capacity ${capacity}, maxLength ${maxLength}`,
      );
    }
    this.maxLength = maxLength;
    this.firstCapacity = Math.min(capacity, maxLength);
  }

  /** Tokens held. */
  get length(): number {
    return this.used;
  }

  /** Tokens that fit before the memory must grow. */
  get capacity(): number {
    return this.room?.keys.shape[1] ?? 0;
  }

  /** Bytes of device memory held. */
  get byteLength(): number {
    return this.room ? this.room.keys.byteLength + this.room.values.byteLength : 0;
  }

  /** `[B, capacity, K, D]`; the first `length` tokens are in use. @throws LifetimeError while the cache is empty */
  get keys(): Tensor {
    return this.filled().keys;
  }

  /** `[B, capacity, K, Dv]`; the first `length` tokens are in use. @throws LifetimeError while the cache is empty */
  get values(): Tensor {
    return this.filled().values;
  }

  /**
   * Adds the keys and values of the next T tokens.
   *
   * @param keys - `[B, T, K, D]`
   * @param values - `[B, T, K, Dv]`
   * @throws ShapeError if they do not fit each other or what is held; RangeError if they exceed `maxLength`
   * @throws LifetimeError if they need a gradient: it would be lost
   */
  append(keys: Tensor, values: Tensor): void {
    const who = 'KeyValueCache.append';
    scope(() => {
      const [k, v] = [widen(keys, who), widen(values, who)];
      checkAppended(who, k, v, this.room);
      const length = this.used + k.shape[1]!;
      if (length > this.maxLength) {
        throw new RangeError(
          `${who}: the cache holds at most ${this.maxLength} tokens, got ${this.used} + ${k.shape[1]}`,
        );
      }
      const room = this.roomFor(length, k, v);
      room.keys.assign_(k, 1, this.used);
      room.values.assign_(v, 1, this.used);
      this.used = length;
    });
  }

  /** Forgets all tokens but the first `length`; the memory stays. @throws RangeError if fewer are held */
  truncate(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.used) {
      throw new RangeError(
        `KeyValueCache.truncate: length must be from 0 to the ${this.used} tokens held, got ${length}`,
      );
    }
    this.used = length;
  }

  /** Forgets all tokens; the memory stays for the next sequence of the same batch. */
  reset(): void {
    this.used = 0;
  }

  /**
   * Makes row i of the batch what row `order[i]` was: how beam search follows its best beams. Rows may repeat or be left
   * out.
   *
   * @throws RangeError if a row is not there
   */
  reorder(order: ArrayLike<number>): void {
    const { keys, values } = this.filled();
    checkIds(order, keys.shape[0]!, 'KeyValueCache.reorder');
    const next = scope(() => {
      const rows = tensor(Int32Array.from(order), [order.length], { device: keys.device });
      return { keys: pickRows(keys, rows), values: pickRows(values, rows) };
    });
    this.replace(next);
  }

  /** Frees the memory; the cache is empty and may be used again, also for another batch. */
  dispose(): void {
    this.replace(null);
    this.used = 0;
  }

  private filled(): Room {
    if (this.room) return this.room;
    throw new LifetimeError('KeyValueCache: it is empty: nothing was appended since it was made or disposed');
  }

  private roomFor(length: number, k: Tensor, v: Tensor): Room {
    if (this.room && this.capacity >= length) return this.room;
    const capacity = Math.min(this.maxLength, Math.max(length, 2 * this.capacity, this.firstCapacity));
    const before = this.room;
    const grown = { keys: grow(before?.keys, k, capacity), values: grow(before?.values, v, capacity) };
    this.replace(grown);
    return grown;
  }

  private replace(next: Room | null): void {
    this.room?.keys.dispose();
    this.room?.values.dispose();
    if (next) for (const tensor of [next.keys, next.values]) keep(tensor);
    this.room = next;
  }
}

/** A tensor of `capacity` tokens that begins with what `before` holds. */
function grow(before: Tensor | undefined, like: Tensor, capacity: number): Tensor {
  const grown = Tensor.allocate(like.shape.with(1, capacity), 'float32', like.device);
  return before ? grown.assign_(before, 1, 0) : grown;
}

function pickRows(x: Tensor, rows: Tensor): Tensor {
  const [batch, ...rest] = x.shape as [number, ...number[]];
  return noGrad(() => embedding(x.reshape([batch, -1]), rows).reshape([rows.size, ...rest]));
}

function checkAppended(who: string, k: Tensor, v: Tensor, room: Room | null): void {
  if (k.requiresGrad || v.requiresGrad) {
    throw new LifetimeError(`${who}: keys and values must need no gradient, a cache would lose it; run under noGrad`);
  }
  const [given, held] = [k.shape, room?.keys.shape ?? k.shape];
  if (k.shape.length !== 4 || `${given.with(1, 0)}` !== `${held.with(1, 0)}`) {
    const axes = room ? `[${held[0]}, T, ${held[2]}, ${held[3]}] as before` : '[B, T, K, D]';
    throw new ShapeError(`${who}: keys must be ${axes}, got [${given}]`);
  }
  const lead = k.shape.slice(0, 3);
  const dim = room?.values.shape[3] ?? v.shape[3] ?? 'Dv';
  if (v.shape.length !== 4 || `${v.shape}` !== `${[...lead, dim]}`) {
    throw new ShapeError(`${who}: values must be as many as the keys: expected [${[...lead, dim]}], got [${v.shape}]`);
  }
}
