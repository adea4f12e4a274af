import {
  type ByteTokenizer,
  type ChatEncoding,
  type Encoding,
  type Offset,
  type TextTokenizer,
  Tokenizer,
  trainBpe,
  trainWordPiece,
} from '@burin/tokenizers';
import { expectTypeOf, test } from 'vitest';

declare const tokenizer: Tokenizer;

test('tokenizers', () => {
  expectTypeOf<Tokenizer>().toExtend<TextTokenizer>();
  expectTypeOf<ByteTokenizer>().toExtend<TextTokenizer>();
  expectTypeOf(Tokenizer.fromFolder('x')).resolves.toEqualTypeOf<Tokenizer>();
  expectTypeOf(tokenizer.encode('x')).toEqualTypeOf<number[]>();
});

test('batches', () => {
  expectTypeOf(tokenizer.encodeBatch(['a', ['b', 'c']])).toEqualTypeOf<Encoding[]>();
  expectTypeOf<Encoding['offsets']>().toEqualTypeOf<(Offset | null)[] | undefined>();
  // @ts-expect-error: a list of texts
  tokenizer.encodeBatch('a');
  // @ts-expect-error: a side that is there
  tokenizer.encodeBatch(['a'], { paddingSide: 'top' });
  // @ts-expect-error: the names of Hugging Face's values
  tokenizer.encodeBatch(['a'], { truncation: 'longestFirst' });
});

test('conversations', () => {
  const messages = [{ role: 'user', content: 'Hi' }];
  expectTypeOf(tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true })).toEqualTypeOf<string>();
  expectTypeOf(tokenizer.encodeChat(messages)).toEqualTypeOf<ChatEncoding>();
  // @ts-expect-error: a message has a role
  tokenizer.applyChatTemplate([{ content: 'Hi' }]);
  // @ts-expect-error: what is trained on is whole
  tokenizer.encodeChat(messages, { addGenerationPrompt: true });
});

test('training', () => {
  expectTypeOf(trainBpe(new Set(['a']), { vocabSize: 300 })).toEqualTypeOf<Tokenizer>();
  expectTypeOf(trainWordPiece(['a'], { vocabSize: 300, lowercase: false })).toEqualTypeOf<Tokenizer>();
  // @ts-expect-error: how large must be said
  trainBpe(['a'], {});
  // @ts-expect-error: its special tokens are fixed
  trainWordPiece(['a'], { vocabSize: 300, bosToken: '<s>' });
});
