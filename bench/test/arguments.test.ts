import { describe, expect, it } from 'vitest';
import { parseArguments } from '../src/arguments.js';

const parse = (...args: string[]) => parseArguments(args, 'baseline.jsonl');

describe('the command line', () => {
  it('measures everything by default', () => {
    expect(parse()).toEqual({
      prefix: '',
      json: null,
      threads: null,
      blas: null,
      peers: false,
      backend: null,
      compare: null,
    });
  });

  it('takes a name and options in any order', () => {
    expect(parse('--', '--threads', '2', 'product/nt', '--blas', 'off', '--json', 'out.jsonl', '--peers')).toEqual({
      ...{
        prefix: 'product/nt',
        json: 'out.jsonl',
        threads: 2,
        blas: 'off',
        peers: true,
        backend: null,
        compare: null,
      },
    });
  });

  it('compares with the committed baseline, or with another file', () => {
    expect(parse('--compare')).toMatchObject({ compare: 'baseline.jsonl', prefix: '' });
    expect(parse('--compare', 'product')).toMatchObject({ compare: 'baseline.jsonl', prefix: 'product' });
    expect(parse('--compare', 'before.jsonl', 'product')).toMatchObject({ compare: 'before.jsonl', prefix: 'product' });
  });

  it('says what it does not understand', () => {
    expect(() => parse('--threads', 'two')).toThrow(
      'bench: --threads must be a whole number of 1 or more, got two; usage: pnpm bench [NAME]',
    );
    expect(() => parse('a', 'b')).toThrow('bench: one NAME at most, got a, b; usage');
    expect(() => parse('--fast')).toThrow(/^bench: .*--fast.*usage: pnpm bench/s);
    expect(() => parse('gpu', '--compare')).toThrow('bench: --compare is not for gpu; usage');
    expect(() => parse('product', '--backend', 'webgpu')).toThrow('bench: --backend is for gpu; usage');
  });
});
