/** The fields of @burin/tensor's RandomStream; all four are unsigned 32-bit. */
export interface RandomStream {
  seedLow: number;
  seedHigh: number;
  offsetLow: number;
  offsetHigh: number;
}

const WORD = 0xffffffffn;
const ROUNDS = 10;
const MULTIPLIER_0 = 0xd2511f53n;
const MULTIPLIER_1 = 0xcd9e8d57n;
const WEYL_0 = 0x9e3779b9n; // golden ratio
const WEYL_1 = 0xbb67ae85n; // √3 − 1

/**
 * Philox 4x32-10: four random words of a counter and a key. Salmon et al. 2011, "Parallel random numbers: as easy as
 * 1, 2, 3", https://doi.org/10.1145/2063384.2063405. Words are unsigned 32-bit.
 */
export function philox4x32(counter: readonly number[], key: readonly number[]): number[] {
  let [c0, c1, c2, c3] = counter.map(BigInt) as [bigint, bigint, bigint, bigint];
  let [k0, k1] = key.map(BigInt) as [bigint, bigint];
  for (let round = 0; round < ROUNDS; round++) {
    const product0 = MULTIPLIER_0 * c0;
    const product1 = MULTIPLIER_1 * c2;
    [c0, c1, c2, c3] = [(product1 >> 32n) ^ c1 ^ k0, product1 & WORD, (product0 >> 32n) ^ c3 ^ k1, product0 & WORD];
    k0 = (k0 + WEYL_0) & WORD;
    k1 = (k1 + WEYL_1) & WORD;
  }
  return [c0, c1, c2, c3].map(Number);
}

/** Word `i` of a stream: the counter is `offset + floor(i / 4)`, the word `i mod 4`. */
export function streamWord(stream: RandomStream, i: number): number {
  const offset = (BigInt(stream.offsetHigh) << 32n) + BigInt(stream.offsetLow) + BigInt(Math.floor(i / 4));
  const counter = [Number(offset & WORD), Number((offset >> 32n) & WORD), 0, 0];
  return philox4x32(counter, [stream.seedLow, stream.seedHigh])[i % 4]!;
}

/** Element `i` of a stream as a number in [0, 1): `floor(word / 2⁸) · 2⁻²⁴`. */
export function streamUniform(stream: RandomStream, i: number): number {
  return Math.floor(streamWord(stream, i) / 2 ** 8) * 2 ** -24;
}
