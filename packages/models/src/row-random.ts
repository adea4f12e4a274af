import { Generator, noGrad, rand, scope } from '@burin/tensor';

/** Numbers are drawn so many at a time. */
const BLOCK = 64;
/** Blocks of four numbers between the streams of two sequences of a row: more than a text will ever draw. */
const APART = 2 ** 32;

/** The random numbers of one row, uniform in [0, 1). */
export class RowRandom {
  private readonly rng: Generator;
  private drawn: ArrayLike<number> = [];
  private next = 0;

  constructor(seed: number, sequence: number) {
    this.rng = new Generator(seed, sequence * APART);
  }

  async draw(): Promise<number> {
    if (this.next === this.drawn.length) {
      this.drawn = await uniform(BLOCK, this.rng);
      this.next = 0;
    }
    return this.drawn[this.next++]!;
  }
}

/**
 * A seed for each row: those given, or drawn from a generator by the row's place alone.
 *
 * @throws RangeError if there is neither, or not one for each row
 */
export async function rowSeeds(
  rows: number,
  { seed, rng }: { seed?: number | readonly number[]; rng?: Generator },
): Promise<readonly number[]> {
  if (typeof seed === 'object') {
    if (seed.length === rows) return seed;
    throw new RangeError(`generate: seed must have one number a row: expected ${rows}, got ${seed.length}`);
  }
  const source = seed === undefined ? rng : new Generator(seed);
  if (!source) {
    throw new RangeError(
      'generate: sampling needs random numbers: expected seed: 42 or rng: new Generator(42), got neither; ' +
        'for the likeliest tokens use doSample: false',
    );
  }
  const halves = await uniform(2 * rows, source); // 24 bits each
  return Array.from({ length: rows }, (_, row) => halves[2 * row]! * 2 ** 48 + halves[2 * row + 1]! * 2 ** 24);
}

function uniform(count: number, rng: Generator): Promise<ArrayLike<number>> {
  const numbers = noGrad(() => scope(() => rand([count], { rng })));
  const reading = numbers.data();
  numbers.dispose();
  return reading;
}
