import ts from 'typescript';

/** A `ts` block of a README. */
export interface Example {
  /** The line of the README on which the block's first line of code stands, counted from 1. */
  readonly line: number;
  readonly source: string;
}

/** What a `console.log` of an example is said to print. */
export interface ExpectedOutput {
  /** The line of the README on which the call begins. */
  readonly line: number;
  readonly text: string;
}

/** The `ts` blocks of a README; one that opens with ```` ```ts no-run ```` is left out. */
export function readExamples(readme: string): Example[] {
  const blocks = readme.matchAll(/^```ts[ \t]*\n([\s\S]*?)^```[ \t]*$/gm);
  return [...blocks].map((block) => ({
    line: readme.slice(0, block.index).split('\n').length + 1,
    source: block[1]!,
  }));
}

/** Turns an example into JavaScript whose `console.log` reports its line, and collects the comments behind the calls. */
export function instrument(example: Example): { code: string; expected: ExpectedOutput[] } {
  const file = ts.createSourceFile('example.ts', example.source, ts.ScriptTarget.ES2022, true);
  const expected: ExpectedOutput[] = [];
  const edits: { start: number; end: number; text: string }[] = [];
  const visit = (node: ts.Node): void => {
    if (isConsoleLog(node)) {
      const line = example.line + file.getLineAndCharacterOfPosition(node.getStart()).line;
      const comma = node.arguments.length > 0 ? ', ' : '';
      edits.push({ start: node.getStart(), end: node.arguments.pos, text: `__log(${line}${comma}` });
      const text = commentAfter(example.source, node.end);
      if (text) expected.push({ line, text });
    }
    ts.forEachChild(node, visit);
  };
  visit(file);

  let code = example.source;
  for (const { start, end, text } of edits.reverse()) code = code.slice(0, start) + text + code.slice(end);
  const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
  return { code: ts.transpileModule(code, { compilerOptions }).outputText, expected };
}

function isConsoleLog(node: ts.Node): node is ts.CallExpression {
  return ts.isCallExpression(node) && node.expression.getText() === 'console.log';
}

/** The comment on the line on which a statement ends, or else the comment lines that follow it. */
function commentAfter(source: string, end: number): string {
  const [first = '', ...rest] = source.slice(end).split('\n');
  const trailing = /^[);,\s]*\/\/ ?(.*)$/.exec(first);
  if (trailing) return trailing[1]!.trim();
  const lines: string[] = [];
  for (const line of rest) {
    const comment = /^\s*\/\/ ?(.*)$/.exec(line);
    if (!comment) break;
    lines.push(comment[1]!.trim());
  }
  return lines.join(' ');
}

/**
 * Says how an output differs from what a README promises; empty when it does not.
 *
 * Numbers agree to the digits that the README gives. `...` stands for any text, and white space, quotes and the class
 * name that Node puts before a typed array or an object do not count.
 */
export function compareOutput(actual: string, expected: string): string {
  const got = tokens(actual);
  const want = tokens(expected);
  return matches(got, want, 0, 0) ? '' : `expected ${want.join(' ')}, got ${got.join(' ')}`;
}

const NUMBER = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i;

function tokens(text: string): string[] {
  const plain = text.replace(/\b[A-Z]\w*(\(\d+\))? (?=[[{])/g, '').replace(/['"`]/g, '');
  return plain.match(/\.\.\.|-?\d+(\.\d+)?(e[+-]?\d+)?|[\p{L}_]+|[^\s\p{L}_]/giu) ?? [];
}

function matches(got: string[], want: string[], i: number, j: number): boolean {
  if (j === want.length) return i === got.length;
  if (want[j] === '...') {
    for (let skip = i; skip <= got.length; skip++) if (matches(got, want, skip, j + 1)) return true;
    return false;
  }
  return i < got.length && sameToken(got[i]!, want[j]!) && matches(got, want, i + 1, j + 1);
}

/** Two words are the same, or two numbers differ by less than one unit in the last digit that was written. */
function sameToken(got: string, want: string): boolean {
  if (!NUMBER.test(got) || !NUMBER.test(want)) return got === want;
  const [mantissa = '', exponent = '0'] = want.toLowerCase().split('e');
  const decimals = mantissa.split('.')[1]?.length ?? 0;
  if (decimals === 0 && exponent === '0') return Number(got) === Number(want);
  return Math.abs(Number(got) - Number(want)) <= 10 ** (Number(exponent) - decimals);
}
