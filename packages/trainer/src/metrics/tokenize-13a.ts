const ENTITIES: readonly (readonly [string, string])[] = [
  ['&quot;', '"'],
  ['&amp;', '&'],
  ['&lt;', '<'],
  ['&gt;', '>'],
];

/** In this order; what is matched is set apart by spaces. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/([{-~[-` -&(-+:-@/])/gu, ' $1 '], // ASCII signs, but ' , - and .
  [/([^0-9])([.,])/gu, '$1 $2 '], // . and , not after a digit
  [/([.,])([^0-9])/gu, ' $1 $2'], // nor before one
  [/([0-9])(-)/gu, '$1 $2 '], // - after a digit
];

/**
 * Cuts a line into the words that BLEU counts: the tokenizer `13a` of sacreBLEU, which is that of NIST's script
 * `mteval-v13a`. Letters keep their case.
 *
 * @see Post 2018, https://aclanthology.org/W18-6319
 * @example
 * tokenize13a("It's $1,234.50, or so."); // ["It's", '$', '1,234.50', ',', 'or', 'so', '.']
 */
export function tokenize13a(line: string): string[] {
  let text = line.trimEnd().replaceAll('<skipped>', '').replaceAll('-\n', '').replaceAll('\n', ' ');
  for (const [entity, sign] of ENTITIES) text = text.replaceAll(entity, sign);
  text = ` ${text} `;
  for (const [pattern, replacement] of RULES) text = text.replace(pattern, replacement);
  return text.split(/\s+/u).filter((word) => word !== '');
}
