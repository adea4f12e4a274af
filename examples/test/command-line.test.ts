import { describe, expect, it, vi } from 'vitest';
import { readCommandLine } from '../src/command-line.js';

const COUNTS = { steps: { value: 100, least: 1 } };
const read = (...args: string[]) => readCommandLine(args, 'usage', 'out', COUNTS);

describe('readCommandLine', () => {
  it('fills in defaults, and passes over the -- of pnpm', () => {
    expect(read()).toEqual({ counts: { steps: 100 }, out: 'out', json: null });
    expect(read('--', '--steps', '7', '--out', 'a', '--json', 'b')).toEqual({
      counts: { steps: 7 },
      out: 'a',
      json: 'b',
    });
  });

  it('prints help and gives null', () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => {});
    expect(read('--help')).toBeNull();
    expect(log).toHaveBeenCalledWith('usage');
    log.mockRestore();
  });

  it.each(['0', '1.5', 'many'])('refuses %o steps', (text) => {
    expect(() => read('--steps', text)).toThrow(`--steps: expected a whole number of 1 or more, got ${text}`);
  });

  it('refuses an option that there is not', () => {
    expect(() => read('--step', '1')).toThrow("Unknown option '--step'");
  });
});
