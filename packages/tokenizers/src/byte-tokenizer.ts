import { checkText, listIds } from './check-input.js';
import type { TextTokenizer } from './text-tokenizer.js';

const SPECIALS = ['<pad>', '<s>', '</s>'] as const;
const FIRST_BYTE = SPECIALS.length;

/**
 * One token a byte of UTF-8, for models trained from nothing: ids 0 `<pad>`, 1 `<s>`, 2 `</s>`, then byte b as 3 + b.
 * Any well-formed text can be encoded and comes back as it was.
 *
 * @example
 * new ByteTokenizer().encode('Hi'); // [1, 75, 108]
 */
export class ByteTokenizer implements TextTokenizer {
  readonly vocabSize = FIRST_BYTE + 256;
  readonly padTokenId = 0;
  readonly bosTokenId = 1;
  readonly eosTokenIds: readonly number[] = [2];

  /** The id of a byte, 0 to 255. */
  idOfByte(byte: number): number {
    return byte + FIRST_BYTE;
  }

  /** `<s>` and the bytes of the text. */
  encode(text: string, { addSpecialTokens = true }: { addSpecialTokens?: boolean } = {}): number[] {
    checkText(text);
    const ids = Array.from(new TextEncoder().encode(text), (byte) => this.idOfByte(byte));
    return addSpecialTokens ? [this.bosTokenId, ...ids] : ids;
  }

  /** The text; special tokens are left out, bytes that are no UTF-8 become U+FFFD. */
  decode(ids: Iterable<number>): string {
    const bytes = listIds(ids)
      .filter((id) => id >= FIRST_BYTE && id < this.vocabSize)
      .map((id) => id - FIRST_BYTE);
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  }

  /**
   * The same as a tokenizer.json: BPE over byte-fallback tokens without merges, which Hugging Face's tokenizers read.
   */
  toJson(): Record<string, unknown> {
    const bytes = Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`);
    const vocab = Object.fromEntries([...SPECIALS, ...bytes].map((token, id) => [token, id]));
    return {
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: SPECIALS.map((content, id) => ({
        id,
        content,
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      })),
      normalizer: null,
      pre_tokenizer: null,
      post_processor: {
        type: 'TemplateProcessing',
        single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
        pair: [
          { SpecialToken: { id: '<s>', type_id: 0 } },
          { Sequence: { id: 'A', type_id: 0 } },
          { Sequence: { id: 'B', type_id: 1 } },
        ],
        special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
      },
      decoder: { type: 'Sequence', decoders: [{ type: 'ByteFallback' }, { type: 'Fuse' }] },
      model: {
        type: 'BPE',
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: null,
        end_of_word_suffix: null,
        fuse_unk: false,
        byte_fallback: true,
        vocab,
        merges: [],
      },
    };
  }
}
