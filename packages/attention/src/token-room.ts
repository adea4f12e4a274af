import { checkIds } from '@burin/nn';
import { keep, LifetimeError, noGrad, ShapeError, scope, Tensor, widen } from '@burin/tensor';
import { copyRows, isIdentity } from './copy-rows.js';
import type { HeldTokens } from './key-value-cache.js';

interface Pair {
  keys: Tensor; // [B, capacity, K, D]
  values: Tensor; // [B, capacity, K, Dv]
}

/** Keys and values of tokens one after the other, with room for more: what caches keep theirs in. */
export class TokenRoom {
  private readonly owner: string; // the cache, for messages
  private pair: Pair | null = null;
  private count = 0;

  constructor(owner: string) {
    this.owner = owner;
  }

  /** Tokens held. */
  get used(): number {
    return this.count;
  }

  /** Tokens that fit. */
  get capacity(): number {
    return this.pair?.keys.shape[1] ?? 0;
  }

  get byteLength(): number {
    return this.pair ? this.pair.keys.byteLength + this.pair.values.byteLength : 0;
  }

  /** All tokens held, the first at position `start`. @throws LifetimeError while there are none */
  held(start = 0): HeldTokens {
    const { keys, values } = this.filled();
    return { keys, values, count: this.count, start };
  }

  /**
   * Runs `body` in a scope with the two as float32, checked against each other and what is held.
   *
   * @throws ShapeError or LifetimeError that says what does not fit
   */
  admit<T>(keys: Tensor, values: Tensor, body: (keys: Tensor, values: Tensor) => T): T {
    const who = `${this.owner}.update`;
    if (keys.requiresGrad || values.requiresGrad) {
      throw new LifetimeError(`${who}: keys and values must need no gradient, a cache would lose it; run under noGrad`);
    }
    return noGrad(() =>
      scope(() => {
        const [k, v] = [widen(keys, who), widen(values, who)];
        checkFits(who, k, v, this.pair);
        return body(k, v);
      }),
    );
  }

  /** Room for `capacity` tokens like these, where there is less; what is held moves there. */
  reserve(capacity: number, k: Tensor, v: Tensor): void {
    if (this.capacity >= capacity) return;
    const grow = (before: Tensor | undefined, like: Tensor) => {
      const grown = Tensor.allocate(like.shape.with(1, capacity), 'float32', like.device);
      return before && this.count > 0 ? grown.assign_(before, 1, 0) : grown;
    };
    this.replace({ keys: grow(this.pair?.keys, k), values: grow(this.pair?.values, v) });
  }

  /** Adds tokens, for which there is room. */
  append(k: Tensor, v: Tensor): void {
    const { keys, values } = this.filled();
    keys.assign_(k, 1, this.count);
    values.assign_(v, 1, this.count);
    this.count += k.shape[1]!;
  }

  /** Forgets all but the last `count` tokens, which move to the front. */
  keepLast(count: number): void {
    const from = this.count - count;
    if (from <= 0) return;
    const { keys, values } = this.filled();
    for (const tensor of count > 0 ? [keys, values] : []) {
      scope(() => tensor.assign_(tensor.narrow(1, from, count), 1, 0)); // a copy between: the two may overlap
    }
    this.count = count;
  }

  /** Forgets all but the first `count` tokens. */
  truncate(count: number): void {
    this.count = count;
  }

  reorder(order: ArrayLike<number>): void {
    const { keys, values } = this.filled();
    const batch = keys.shape[0]!;
    checkIds(order, batch, `${this.owner}.reorder`);
    if (isIdentity(order, batch)) return;
    const inUse = (x: Tensor) => (x.byteLength / batch / this.capacity) * this.count;
    const pick = (x: Tensor) => copyRows(x, order, inUse(x));
    this.replace({ keys: pick(keys), values: pick(values) });
  }

  dispose(): void {
    this.replace(null);
    this.count = 0;
  }

  private filled(): Pair {
    if (this.pair) return this.pair;
    throw new LifetimeError(`${this.owner}: it is empty: nothing was added since it was made or disposed`);
  }

  private replace(next: Pair | null): void {
    this.pair?.keys.dispose();
    this.pair?.values.dispose();
    if (next) for (const tensor of [next.keys, next.values]) keep(tensor);
    this.pair = next;
  }
}

function checkFits(who: string, k: Tensor, v: Tensor, pair: Pair | null): void {
  const [given, held] = [k.shape, pair?.keys.shape ?? k.shape];
  if (k.shape.length !== 4 || given.some((length, axis) => axis !== 1 && length !== held[axis])) {
    const axes = pair ? `[${held[0]}, T, ${held[2]}, ${held[3]}] as before` : '[B, T, K, D]';
    throw new ShapeError(`${who}: keys must be ${axes}, got [${given}]`);
  }
  const lead = k.shape.slice(0, 3);
  const dim = pair?.values.shape[3] ?? v.shape[3] ?? 'Dv';
  if (v.shape.length !== 4 || `${v.shape}` !== `${[...lead, dim]}`) {
    throw new ShapeError(`${who}: values must be as many as the keys: expected [${[...lead, dim]}], got [${v.shape}]`);
  }
}
