/** Bytes that stand for themselves in byte-level tokens: printable Latin-1 without the space. */
const PRINTABLE = [
  [0x21, 0x7e],
  [0xa1, 0xac],
  [0xae, 0xff],
] as const;

/**
 * The character that stands for each byte in byte-level tokens: itself where it can be printed, else one from U+0100 on, in
 * the order of the bytes (a space is `Ġ`).
 *
 * @see GPT-2's `bytes_to_unicode`, https://github.com/openai/gpt-2/blob/master/src/encoder.py
 */
export function byteCharacters(): string[] {
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const prints = PRINTABLE.some(([first, last]) => byte >= first && byte <= last);
    return String.fromCharCode(prints ? byte : next++);
  });
}
