import { describe, expect, it } from 'vitest';
import { compareOutput, instrument, readExamples } from '../src/readme-example.js';

const README = `# A package

\`\`\`ts
const x: number = 1;
console.log(x); // 1
\`\`\`

\`\`\`sh
ls
\`\`\`

\`\`\`ts
console.log(
  'a',
);
// a
console.log();
\`\`\`
`;

describe('readExamples', () => {
  it('finds the ts blocks and their lines', () => {
    expect(readExamples(README).map(({ line }) => line)).toEqual([4, 13]);
  });
});

describe('instrument', () => {
  it('takes the comment behind a call, on its line or below', () => {
    const outputs = readExamples(README).map((example) => instrument(example).expected);
    expect(outputs).toEqual([[{ line: 5, text: '1' }], [{ line: 13, text: 'a' }]]);
  });

  it('makes each call report its line and strips the types', () => {
    const [first, second] = readExamples(README).map((example) => instrument(example).code);
    expect(first).toContain('const x = 1;\n__log(5, x);');
    expect(second).toContain('__log(17)');
  });
});

describe('compareOutput', () => {
  it.each([
    ['Float32Array(2) [ 0.8485281229019165, 1.1313707828521729 ]', '[0.8485281, 1.1313708]'],
    ['[ 2, 3 ]', '[2, 3]'],
    ['hello', "'hello'"],
    ['1.234e-7', '1.2e-7'],
    ['[ 1, 2, 3, 4 ]', '[1, 2, ...]'],
    ['Map(1) { a => 1 }', '{ a => 1 }'],
  ])('accepts %s for %s', (actual, expected) => {
    expect(compareOutput(actual, expected)).toBe('');
  });

  it.each([
    ['[ 0.84, 1.13 ]', '[0.84, 1.15]'],
    ['[ 2, 3 ]', '[2, 4]'],
    ['[ 2, 3 ]', '[2, 3, 4]'],
    ['-1', '1'],
    ['3', '2'],
    ['true', 'false'],
  ])('refuses %s for %s', (actual, expected) => {
    expect(compareOutput(actual, expected)).toContain('expected ');
  });
});
