import { describe, expect, it } from 'vitest';
import { majorityGuess, naiveBayes } from '../src/baselines.js';
import { lettersOf, loadMails, stripHeaders } from '../src/mails.js';
import { SPLIT } from '../src/settings.js';
import { textTable } from '../src/table.js';

describe('stripHeaders', () => {
  it('keeps subject and body, and folded subjects whole', () => {
    const raw = 'From: a@b.c\r\nSubject: Hello\r\n there\r\nTo: d@e.f\r\n\r\nFirst  line\r\n\r\nSecond';
    expect(stripHeaders(raw)).toBe('Hello there\nFirst line Second');
  });
  it('takes a mail without a subject or a body', () => {
    expect(stripHeaders('From: a@b.c\n\nbody')).toBe('\nbody');
    expect(stripHeaders('Subject: alone')).toBe('alone\n');
  });
});

describe('loadMails', () => {
  it('reads the whole corpus, and nothing of the test part is in the training part', async () => {
    const { train, test, read, duplicates } = await loadMails(SPLIT);
    expect(read).toBe(6046);
    expect(train.length + test.length + duplicates).toBe(read);
    const seen = new Set(train.map(({ text }) => lettersOf(text)));
    expect(test.filter(({ text }) => seen.has(lettersOf(text)))).toEqual([]);
    expect(test.some(({ text }) => /^(Received|Return-Path|Message-Id):/im.test(text.slice(0, 80)))).toBe(false);

    const again = await loadMails(SPLIT);
    expect(again.test.map(({ text }) => text)).toEqual(test.map(({ text }) => text));
    expect(naiveBayes(train, test).accuracy).toBeGreaterThan(0.95);
    const spam = test.filter(({ label }) => label === 1).length;
    expect(majorityGuess(train, test)).toEqual({ accuracy: (test.length - spam) / test.length, f1: 0 });
  });
});

describe('textTable', () => {
  it('puts numbers right and text left', () => {
    expect(
      textTable([
        ['name', 'size'],
        ['a', '12'],
        ['bcdefg', '3'],
      ]),
    ).toBe('name    size\n------  ----\na         12\nbcdefg     3');
  });
});
