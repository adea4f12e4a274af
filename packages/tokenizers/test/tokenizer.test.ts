import { mkdirSync, writeFileSync } from 'node:fs';
import { bytesSource, CheckpointError } from '@burin/checkpoint';
import { ByteTokenizer, Tokenizer } from '@burin/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolders } from './support.js';

const folder = temporaryFolders();
const bytes = new ByteTokenizer();
/** Text without lone surrogates, which UTF-8 cannot say. */
const text = fc.string({ unit: 'grapheme' });

describe('ByteTokenizer', () => {
  it('gives a token a byte, behind <s>', () => {
    expect(bytes.encode('aé')).toEqual([1, 97 + 3, 0xc3 + 3, 0xa9 + 3]);
    expect(bytes.encode('a', { addSpecialTokens: false })).toEqual([100]);
    expect([bytes.vocabSize, bytes.padTokenId, bytes.bosTokenId, bytes.eosTokenIds]).toEqual([259, 0, 1, [2]]);
    expect(bytes.idOfByte(255)).toBe(258);
  });

  it('gives any text back', () => {
    fc.assert(
      fc.property(text, (value) => {
        expect(bytes.decode(bytes.encode(value))).toBe(value);
        expect(bytes.encode(value).every((id) => id >= 0 && id < bytes.vocabSize)).toBe(true);
      }),
      { seed: 1 },
    );
    expect(bytes.decode(bytes.encode('\ufeffwith a byte order mark'))).toBe('\ufeffwith a byte order mark');
  });

  it('passes over special tokens and ids that are none, and marks bytes that are no UTF-8', () => {
    expect(bytes.decode([1, 100, 0, 2, 259, -1, 101])).toBe('ab');
    expect(bytes.decode([0xc3 + 3])).toBe('\ufffd');
  });

  it('is the same through its tokenizer.json', () => {
    const tokenizer = new Tokenizer(bytes.toJson());
    expect(tokenizer.vocabSize).toBe(259);
    fc.assert(
      fc.property(text, (value) => {
        expect(tokenizer.encode(value)).toEqual(bytes.encode(value));
        expect(tokenizer.encode(value, { addSpecialTokens: false })).toEqual(
          bytes.encode(value, { addSpecialTokens: false }),
        );
        expect(tokenizer.decode(bytes.encode(value))).toBe(value);
      }),
      { seed: 2 },
    );
  });
});

describe('Tokenizer', () => {
  const write = (name: string, files: Record<string, string>) => {
    mkdirSync(folder(name));
    for (const [file, content] of Object.entries(files)) writeFileSync(`${folder(name)}/${file}`, content);
    return folder(name);
  };
  const json = JSON.stringify(bytes.toJson());

  it('knows its special tokens from tokenizer_config.json, as text or as objects', async () => {
    const config = { pad_token: '<pad>', bos_token: { content: '<s>' }, eos_token: '</s>' };
    const path = write('special', { 'tokenizer.json': json, 'tokenizer_config.json': JSON.stringify(config) });
    const tokenizer = await Tokenizer.fromFolder(path);
    expect([tokenizer.padTokenId, tokenizer.bosTokenId, tokenizer.eosTokenIds]).toEqual([0, 1, [2]]);
    expect(tokenizer.toJson()).toEqual(bytes.toJson());
    expect(tokenizer.configJson()).toEqual(config);
  });

  it('names none where tokenizer_config.json is not there', async () => {
    const tokenizer = await Tokenizer.fromFolder(write('bare', { 'tokenizer.json': json }));
    expect([tokenizer.padTokenId, tokenizer.bosTokenId, tokenizer.eosTokenIds]).toEqual([null, null, []]);
  });

  it('reads the files that older and newer folders have instead', async () => {
    const path = write('old and new', {
      'tokenizer.json': json,
      'special_tokens_map.json': JSON.stringify({ pad_token: '<pad>', eos_token: '<s>' }),
      'tokenizer_config.json': JSON.stringify({ eos_token: '</s>', pad_token: null, chat_template: 'older' }),
      'chat_template.jinja': '{{ messages[0].content }}{{ eos_token }}',
    });
    const tokenizer = await Tokenizer.fromFolder(path);
    expect([tokenizer.padTokenId, tokenizer.eosTokenIds]).toEqual([0, [2]]);
    expect(tokenizer.applyChatTemplate([{ role: 'user', content: 'Hi' }])).toBe('Hi</s>');
    await tokenizer.savePretrained(folder('copied'));
    const copied = await Tokenizer.fromFolder(folder('copied'));
    expect([copied.toJson(), copied.configJson()]).toEqual([tokenizer.toJson(), tokenizer.configJson()]);
  });

  it('reads files by name, as a browser has them', async () => {
    const source = (text: string) => bytesSource(new TextEncoder().encode(text));
    const files = new Map([
      ['tokenizer.json', source(json)],
      ['tokenizer_config.json', source('{"eos_token": "</s>"}')],
      ['chat_template.jinja', source('{{ messages[0].content }}{{ eos_token }}')],
    ]);
    const tokenizer = await Tokenizer.fromFolder(files);
    expect(tokenizer.applyChatTemplate([{ role: 'user', content: 'Hi' }])).toBe('Hi</s>');
    expect(tokenizer.encode('Hi')).toEqual(bytes.encode('Hi'));
    await expect(Tokenizer.fromFolder(new Map())).rejects.toThrow('tokenizer.json must be among the files');
  });

  it('refuses several texts for one, and rows for ids', () => {
    for (const tokenizer of [bytes, new Tokenizer(bytes.toJson())]) {
      expect(() => tokenizer.encode(['a', 'b'] as never)).toThrow(
        'encode: expected a text, got an array; several texts are rows of encodeBatch',
      );
      expect(() => tokenizer.encode(undefined as never)).toThrow('encode: expected a text, got undefined');
      expect(() => tokenizer.decode([[68]] as never)).toThrow(
        'decode: expected the ids of a text, got rows; decode each of them',
      );
      expect(() => tokenizer.decode([68n] as never)).toThrow('decode: expected the ids of a text, got a bigint');
    }
  });

  it('looks tokens up, and passes over ids that are none', () => {
    const tokenizer = new Tokenizer(bytes.toJson());
    expect([tokenizer.tokenToId('<0x41>'), tokenizer.tokenToId('none')]).toEqual([68, null]);
    expect([tokenizer.idToToken(68), tokenizer.idToToken(999)]).toEqual(['<0x41>', null]);
    expect(tokenizer.decode([])).toBe('');
    expect(tokenizer.decode([999, 68, -1])).toBe('A');
    expect(tokenizer.decode([1, 68], { skipSpecialTokens: false })).toBe('<s>A');
  });

  it('leaves spaces before punctuation alone, unless tokenizer_config.json says otherwise', () => {
    const ids = bytes.encode('a , b .');
    expect(new Tokenizer(bytes.toJson()).decode(ids)).toBe('a , b .');
    expect(new Tokenizer(bytes.toJson(), { clean_up_tokenization_spaces: true }).decode(ids)).toBe('a, b.');
  });

  it('names a file that is missing, damaged or no tokenizer', async () => {
    await expect(Tokenizer.fromFolder(folder('none'))).rejects.toThrow(CheckpointError);
    for (const [name, content] of [
      ['cut', json.slice(0, 100)],
      ['list', '[]'],
      ['empty', '{}'],
    ] as const) {
      const path = write(name, { 'tokenizer.json': content });
      const refused = Tokenizer.fromFolder(path);
      await expect(refused, name).rejects.toThrow(CheckpointError);
      await expect(refused, name).rejects.toThrow(`${path}/tokenizer.json`);
    }
    const path = write('bad config', { 'tokenizer.json': json, 'tokenizer_config.json': '{' });
    await expect(Tokenizer.fromFolder(path)).rejects.toThrow(`${path}/tokenizer_config.json`);
  });
});
