import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { parseArguments } from '../src/arguments.js';
import { CaseCopy } from './case-copy.js';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));

/** The command as `pnpm conformance` runs it. */
function conformance(...args: string[]) {
  const node = ['--import', 'tsx', '--conditions=@burin/source', MAIN, ...args];
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }; // Node's own, of its options and of colours
  const { status, stdout, stderr } = spawnSync(process.execPath, node, { encoding: 'utf8', env });
  return { status, lines: stdout.trimEnd().split('\n'), stderr };
}

const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function copyOf(name: string): CaseCopy {
  const copy = new CaseCopy(name);
  folders.push(copy.dir);
  return copy;
}

describe('the command', () => {
  it('prints one line a case with its errors, and how many passed', () => {
    const { status, lines } = conformance('--case', 'losses/ce_m');
    expect(lines).toEqual([
      expect.stringMatching(/^ok +losses\/ce_mean +abs \d\.\de-\d+ +rel \d\.\de-\d+$/),
      '1 passed, 0 failed',
    ]);
    expect(status).toBe(0);
  });

  it('exits 1 where a case failed, and says why', () => {
    const copy = copyOf('losses/mse');
    copy.corrupt('loss_sum');
    const { status, lines } = conformance('--dir', copy.dir, '--device', 'cpu');
    expect(lines[0]).toMatch(/^FAILED +losses\/mse .* loss_sum: 1 of 1 differ by more than .*: expected /);
    expect(lines.at(-1)).toBe('0 passed, 1 failed');
    expect(status).toBe(1);
  });

  it('lists cases that are not yet supported, counts them as failures, and writes it all down', () => {
    const folder = mkdtempSync(join(tmpdir(), 'burin-conformance-test-'));
    folders.push(folder);
    const { status, lines } = conformance('--case', 'optim/adamw', '--json', join(folder, 'results.json'));
    expect(lines.slice(-2)).toEqual([
      'not yet supported, counted as failures: optim/adamw_8bit, optim/adamw_8bit_single_step',
      '4 passed, 2 failed',
    ]);
    expect(status).toBe(1);
    const { cases } = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8'));
    expect(cases.slice(0, 3)).toEqual([
      {
        name: 'optim/adamw',
        status: 'passed',
        maxAbsError: expect.any(Number),
        maxRelError: expect.any(Number),
        message: '',
      },
      expect.objectContaining({ name: 'optim/adamw_8bit', status: 'unsupported', maxAbsError: null }),
      expect.objectContaining({ name: 'optim/adamw_8bit_single_step', status: 'unsupported' }),
    ]);
    expect(cases.slice(3).map(({ status }: { status: string }) => status)).toEqual(['passed', 'passed', 'passed']);
  });

  it('refuses a folder without cases, and a prefix that no case has', () => {
    const copy = copyOf('losses/mse');
    const none = conformance('--dir', copy.folder);
    expect(none.stderr).toBe(`conformance: no case in ${copy.folder}: it holds none\n`);
    expect(none.status).toBe(2);
    const wrong = conformance('--dir', copy.dir, '--case', 'loses');
    expect(wrong.stderr).toBe(`conformance: no case in ${copy.dir} begins with 'loses': its groups are losses\n`);
  });

  it('wants --backend beside --device gpu', () => {
    const { status, stderr } = conformance('--backend', 'webgpu');
    expect(stderr).toContain("conformance: --backend is the GPU's: expected --device gpu beside it");
    expect(status).toBe(2);
  });

  it('says which GPU backends there are', () => {
    const { status, stderr } = conformance('--device', 'gpu', '--backend', 'cuda');
    expect(stderr).toBe("gpu: backend must be 'webgpu', 'webgl2' or 'headlessgl', got 'cuda'\n");
    expect(status).toBe(2);
  });
});

describe('arguments', () => {
  it('have defaults', () => {
    expect(parseArguments([], 'fixtures')).toEqual({
      dir: 'fixtures',
      prefix: '',
      json: null,
      device: 'cpu',
      backend: null,
    });
    expect(parseArguments(['--', '--dir=x', '--case', 'a', '--json', 'b'], 'fixtures')).toEqual({
      dir: 'x',
      prefix: 'a',
      json: 'b',
      device: 'cpu',
      backend: null,
    });
    expect(parseArguments(['--device', 'gpu', '--backend', 'webgpu'], '')).toMatchObject({ backend: 'webgpu' });
  });

  it('that are not known are refused', () => {
    expect(() => parseArguments(['--devise', 'cpu'], '')).toThrow(
      /^conformance: Unknown option '--devise'.*usage: pnpm/s,
    );
    expect(() => parseArguments(['norm'], '')).toThrow(/Unexpected argument 'norm'.*usage/s);
    expect(() => parseArguments(['--device', 'tpu'], '')).toThrow('--device must be cpu or gpu, got tpu');
  });
});
