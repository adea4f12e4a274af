import { mkdirSync, writeFileSync } from 'node:fs';
import { saveGguf } from '@burin/gguf';
import { describe, expect, it } from 'vitest';
import { readGguf } from './read-gguf.js';
import { TINY, temporaryPaths, tinyLlama } from './support.js';

const path = temporaryPaths();

const special = (id: number, content: string, isSpecial = true) => ({ id, content, special: isSpecial });

/** Like Llama 2's: ▁ for spaces, single bytes, merges as text. */
const SPACES = {
  model: {
    type: 'BPE',
    vocab: { '<unk>': 0, '<s>': 1, '</s>': 2, '<0x0A>': 3, '▁': 4, a: 5, b: 6, ab: 7, '▁ab': 8 },
    merges: ['a b', '▁ ab'],
    unk_token: '<unk>',
    byte_fallback: true,
  },
  added_tokens: [special(0, '<unk>'), special(1, '<s>'), special(2, '</s>'), special(9, '<tool>', false)],
  normalizer: { type: 'Sequence', normalizers: [{ type: 'Prepend', prepend: '▁' }] },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>' } }, { Sequence: { id: 'A' } }],
    special_tokens: { '<s>': { ids: [1] } },
  },
};

/** Like GPT-2's: bytes as letters, merges as pairs. */
const BYTES = {
  model: {
    type: 'BPE',
    vocab: { a: 0, b: 1, Ġ: 2, ab: 3, Ġab: 4 },
    merges: [
      ['a', 'b'],
      ['Ġ', 'ab'],
    ],
  },
  added_tokens: [special(5, '<|end|>')],
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, use_regex: true },
};

async function metadataOf(tokenizer: object, options: { preTokenizer?: string; config?: object } = {}) {
  const { config, ...rest } = options;
  const model = tinyLlama({ bosTokenId: 1, eosTokenId: [2, 3], padTokenId: 0 });
  await saveGguf(model, path('t.gguf'), {
    ...rest,
    tokenizer: { toJson: () => tokenizer, ...(config && { configJson: () => config }) },
  });
  return (await readGguf(path('t.gguf'))).metadata;
}

describe('a vocabulary with ▁ for spaces', () => {
  it('is llama.cpp’s llama, with merges as scores', async () => {
    const metadata = await metadataOf(SPACES);
    expect(metadata).toMatchObject({
      ...{ 'tokenizer.ggml.model': 'llama', 'tokenizer.ggml.bos_token_id': 1, 'tokenizer.ggml.eos_token_id': 2 },
      ...{ 'tokenizer.ggml.padding_token_id': 0, 'tokenizer.ggml.unknown_token_id': 0 },
      ...{ 'tokenizer.ggml.add_bos_token': true, 'tokenizer.ggml.add_eos_token': false },
      'tokenizer.ggml.add_space_prefix': true,
    });
    const list = (key: string) => (metadata[`tokenizer.ggml.${key}`] as unknown[]).slice(0, 11);
    expect(list('tokens')).toEqual(['<unk>', '<s>', '</s>', '<0x0A>', '▁', 'a', 'b', 'ab', '▁ab', '<tool>', '[PAD10]']);
    expect(list('token_type')).toEqual([2, 3, 3, 6, 1, 1, 1, 1, 1, 4, 5]);
    expect(list('scores').map((score) => Number(score) + 0)).toEqual([0, 0, 0, 0, -2, -2, -2, 0, -1, 0, 0]);
    expect((metadata['tokenizer.ggml.tokens'] as unknown[]).length).toBe(TINY.vocabSize);
  });
});

describe('a vocabulary of bytes', () => {
  it('is llama.cpp’s gpt2, with its merges', async () => {
    const metadata = await metadataOf(BYTES, { config: { chat_template: '{{ messages }}' } });
    expect(metadata).toMatchObject({
      ...{ 'tokenizer.ggml.model': 'gpt2', 'tokenizer.ggml.pre': 'gpt-2', 'tokenizer.chat_template': '{{ messages }}' },
      ...{ 'tokenizer.ggml.merges': ['a b', 'Ġ ab'], 'tokenizer.ggml.add_bos_token': false },
    });
    expect((metadata['tokenizer.ggml.token_type'] as unknown[]).slice(0, 7)).toEqual([1, 1, 1, 1, 1, 3, 5]);
  });

  it.each([
    ['llama-bpe', '\\p{N}{1,3}'],
    ['qwen2', '\\p{N}'],
  ])('that is cut as %s says so', async (name, digits) => {
    const Regex =
      "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
      `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
    const pretokenizers = [
      { type: 'Split', pattern: { Regex } },
      { type: 'ByteLevel', use_regex: false },
    ];
    const metadata = await metadataOf({ ...BYTES, pre_tokenizer: { type: 'Sequence', pretokenizers } });
    expect(metadata['tokenizer.ggml.pre']).toBe(name);
  });

  it('that is cut in a way of its own is refused, unless its name is given', async () => {
    const pretokenizers = [{ type: 'Punctuation' }, { type: 'ByteLevel' }];
    const own = { ...BYTES, pre_tokenizer: { type: 'Sequence', pretokenizers } };
    await expect(metadataOf(own)).rejects.toThrow(
      'tokenizer: pre_tokenizer must cut text as llama-bpe, qwen2, smollm or gpt-2 do: got Punctuation, ByteLevel; ' +
        'pass preTokenizer with llama.cpp’s name of it'.replace('’', "'"),
    );
    expect((await metadataOf(own, { preTokenizer: 'falcon' }))['tokenizer.ggml.pre']).toBe('falcon');
  });
});

describe('a tokenizer', () => {
  it('of another kind, or with ids beyond the embeddings, is refused', async () => {
    await expect(metadataOf({ model: { type: 'WordPiece', vocab: {} } })).rejects.toThrow(
      'tokenizer: the tokenizer must be one that llama.cpp has: expected BPE over bytes or over text with ▁ for spaces, ' +
        'got "WordPiece"; pass tokenizer: null to write the model without one',
    );
    await expect(metadataOf({ ...BYTES, added_tokens: [special(37, '<x>')] })).rejects.toThrow(
      'tokenizer: "<x>" has id 37: vocab_size is 37',
    );
  });

  it('is read from the folder, with a chat template beside it', async () => {
    const folder = path('folder');
    await tinyLlama().savePretrained(folder);
    writeFileSync(`${folder}/tokenizer.json`, JSON.stringify(SPACES));
    writeFileSync(`${folder}/chat_template.jinja`, '{{ bos }}');
    await saveGguf(folder, path('f.gguf'));
    const { metadata } = await readGguf(path('f.gguf'));
    expect(metadata).toMatchObject({ 'tokenizer.ggml.model': 'llama', 'tokenizer.chat_template': '{{ bos }}' });
    await saveGguf(folder, path('f.gguf'), { tokenizer: null });
    expect((await readGguf(path('f.gguf'))).metadata['tokenizer.ggml.model']).toBe('no_vocab');
    mkdirSync(path('empty'));
  });
});
