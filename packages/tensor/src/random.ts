import { record } from './autograd.js';
import { type DeviceLike, resolveDevice } from './devices.js';
import type { RandomStream } from './kernels/random.js';
import { widened } from './ops/operand.js';
import { checkedShape, type Shape } from './shape.js';
import { Tensor } from './tensor.js';

/** Everything that decides what a Generator gives next: plain numbers, fit for a checkpoint file. */
export interface GeneratorState {
  /** 0 .. 2⁵³ − 1 */
  readonly seed: number;
  /** Blocks of four numbers that were drawn so far. */
  readonly offset: number;
}

/** The draws of a body that may have to be run again with the same numbers; those of a body inside another are its, too. */
class Draws {
  private next = 0;
  private readonly streams: RandomStream[] = [];
  private readonly outer: Draws | null;

  constructor(outer: Draws | null) {
    this.outer = outer;
  }

  replayed(stream: () => RandomStream): RandomStream {
    const known = this.streams[this.next];
    const drawn = known ?? this.outer?.replayed(stream) ?? stream();
    if (!known) this.streams.push(drawn);
    this.next++;
    return drawn;
  }

  rewind(): this {
    this.next = 0;
    return this;
  }
}

let draws: Draws | null = null;

/** Runs `body` so that the returned function runs another body with the same random numbers. */
export function recordDraws<T>(body: () => T): [result: T, replay: <R>(again: () => R) => R] {
  const recorded = new Draws(draws);
  return [withDraws(recorded, body), (again) => withDraws(recorded.rewind(), again)];
}

function withDraws<T>(next: Draws, body: () => T): T {
  const before = draws;
  draws = next;
  try {
    return body();
  } finally {
    draws = before;
  }
}

/**
 * Random numbers from a counter: Philox 4x32-10. The same seed gives the same numbers on every device, and the numbers
 * do not depend on how the work is split.
 *
 * @example
 * const rng = new Generator(42);
 * const noise = randn([2, 3], { rng });
 */
export class Generator {
  private readonly seed: number;
  private offset: number;

  /** @throws RangeError if the seed or the offset is not a whole number from 0 to 2⁵³ − 1 */
  constructor(seed: number, offset = 0) {
    this.seed = wholeNumber('seed', seed);
    this.offset = wholeNumber('offset', offset);
  }

  get state(): GeneratorState {
    return { seed: this.seed, offset: this.offset };
  }

  /** @throws RangeError as the constructor, where the state is not one */
  static fromState({ seed, offset }: GeneratorState): Generator {
    return new Generator(seed, wholeNumber('offset', offset));
  }

  /** Puts the place in the stream back to where `state` was taken; the seed must be the same. */
  restore(state: GeneratorState): void {
    if (state.seed !== this.seed) {
      throw new RangeError(`Generator: this state is of seed ${state.seed}, the generator's is ${this.seed}`);
    }
    this.offset = wholeNumber('offset', state.offset);
  }

  /** Takes the next `count` numbers out of the stream: a kernel that is given the result draws them. */
  reserve(count: number): RandomStream {
    return draws ? draws.replayed(() => this.take(count)) : this.take(count);
  }

  private take(count: number): RandomStream {
    const at = this.offset;
    this.offset += Math.ceil(count / 4);
    return {
      seedLow: this.seed >>> 0,
      seedHigh: Math.floor(this.seed / 2 ** 32),
      offsetLow: at >>> 0,
      offsetHigh: Math.floor(at / 2 ** 32),
    };
  }
}

function wholeNumber(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`Generator: the ${name} must be a whole number from 0 to 2^53 - 1, got ${value}`);
}

/** What random tensors are drawn with. */
export interface RandomOptions {
  rng: Generator;
  /** Left out: that of `setDefaultDevice`. */
  device?: DeviceLike;
}

/** Without types it is easily left out, here and in every layer that draws weights. */
function checkGenerator(rng: Generator, who: string): void {
  if (typeof rng?.reserve === 'function') return;
  throw new TypeError(`${who}: random numbers need a generator: expected rng: new Generator(42), got ${typeof rng}`);
}

/**
 * Uniform in [low, high); where they are not 0 and 1, rounding to float32 may give `high` once in millions.
 *
 * @throws RangeError unless `low` and `high` are numbers in order
 */
export function rand(
  shape: Shape,
  { rng, device, low = 0, high = 1 }: RandomOptions & { low?: number; high?: number },
): Tensor {
  const to = checkedShape(shape, 'rand');
  checkGenerator(rng, 'rand');
  if (!(low <= high)) throw new RangeError(`rand: low must be at most high, got ${low} and ${high}`);
  const y = Tensor.allocate(to, 'float32', resolveDevice(device));
  y.device.kernels.uniform(y.storage.buffer, y.size, low, high, rng.reserve(y.size));
  return y;
}

/** Normal with `mean` and standard deviation `std`. @throws RangeError if `std` is not 0 or more */
export function randn(
  shape: Shape,
  { rng, device, mean = 0, std = 1 }: RandomOptions & { mean?: number; std?: number },
): Tensor {
  const to = checkedShape(shape, 'randn');
  checkGenerator(rng, 'randn');
  if (!(std >= 0)) throw new RangeError(`randn: std must be 0 or more, got ${std}`);
  const y = Tensor.allocate(to, 'float32', resolveDevice(device));
  y.device.kernels.normal(y.storage.buffer, y.size, mean, std, rng.reserve(y.size));
  return y;
}

/** `0 .. count − 1` in random order, on the host (Fisher–Yates). */
export function randperm(count: number, rng: Generator): Promise<Int32Array> {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  const uniform = rand([count], { rng });
  const reading = uniform.data();
  uniform.dispose();
  return reading.then((u) => {
    for (let i = count - 1; i > 0; i--) {
      const j = Math.floor(u[i]! * (i + 1));
      const swapped = order[i]!;
      order[i] = order[j]!;
      order[j] = swapped;
    }
    return order;
  });
}

/**
 * Sets each element to 0 with probability `p` and scales the others by `1 / (1 − p)`
 * (Srivastava et al. 2014). Nothing but the place in the stream is kept for the gradient.
 *
 * @throws RangeError if p is not in [0, 1)
 */
export function dropout(input: Tensor, p: number, rng: Generator): Tensor {
  if (!(p >= 0 && p < 1)) throw new RangeError(`dropout: p must be in [0, 1), got ${p}`);
  if (p === 0) return input;
  checkGenerator(rng, 'dropout');
  return widened('dropout', [input], (x) => {
    const stream = rng.reserve(x.size);
    return record('dropout', [x], masked(x, p, stream), [], (g) => [masked(g, p, stream)]);
  });
}

function masked(x: Tensor, p: number, stream: RandomStream): Tensor {
  const y = Tensor.allocate(x.shape, 'float32', x.device);
  x.device.kernels.dropout(x.storage.buffer, y.storage.buffer, x.size, p, stream);
  return y;
}
