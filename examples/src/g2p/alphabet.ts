import type { RawConfig } from '@burin/models';

const START = 1;
const END = 2;
const UNKNOWN = 3;
/** Ids below are padding, start, end and unknown. */
const FIRST_LETTER = 4;

/**
 * Letters and phonemes as ids, as the model's config.json gives them: the id of a character is its place in
 * `grapheme_chars` or `phoneme_chars`.
 */
export class Alphabet {
  readonly #graphemes: ReadonlyMap<string, number>;
  readonly #phonemes: readonly string[];
  readonly #phonemeIds: ReadonlyMap<string, number>;

  constructor({ grapheme_chars: graphemes, phoneme_chars: phonemes }: RawConfig) {
    if (typeof graphemes !== 'string' || typeof phonemes !== 'string') {
      throw new TypeError('Alphabet: config.json must have the texts grapheme_chars and phoneme_chars');
    }
    this.#graphemes = idsOf(graphemes);
    this.#phonemes = [...phonemes];
    this.#phonemeIds = idsOf(phonemes);
  }

  /** What the encoder reads. */
  encodeWord(word: string): number[] {
    return [START, ...Array.from(word, (letter) => this.#graphemes.get(letter) ?? UNKNOWN), END];
  }

  /** What the decoder is to say: the start token once more, which this model was taught, the phonemes, and the end. */
  encodePhonemes(phonemes: string): number[] {
    return [START, ...Array.from(phonemes, (phoneme) => this.#phonemeIds.get(phoneme) ?? UNKNOWN), END];
  }

  decodePhonemes(ids: readonly number[]): string {
    return ids.map((id) => (id < FIRST_LETTER ? '' : (this.#phonemes[id] ?? ''))).join('');
  }
}

function idsOf(characters: string): Map<string, number> {
  return new Map([...characters].map((character, id) => [character, id] as const).slice(FIRST_LETTER));
}
