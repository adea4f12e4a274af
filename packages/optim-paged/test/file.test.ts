import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AdamW } from '@burin/optim-paged';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { free, parameters, setGradients, values } from './support.js';

const PAGE = 32;
let folder = '';
let file = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'burin-pages-'));
  file = join(folder, 'pages');
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('pages in a file', () => {
  it('leave host memory for it, give the same numbers, and are removed with it', async () => {
    const results = [];
    for (const options of [{}, { pageBytes: PAGE, deviceBytes: 2 * PAGE, file }]) {
      const params = parameters([30, 3], 1);
      const optimizer = new AdamW(params, options);
      for (let step = 0; step < 4; step++) {
        setGradients(params, step);
        await optimizer.step();
      }
      if ('file' in options) {
        expect(optimizer.paging).toMatchObject({ pages: 9, pagesOut: 7 * 4, pagesIn: 7 * 3 });
        expect(statSync(file).size).toBeLessThanOrEqual(9 * PAGE);
        expect(statSync(file).size).toBeGreaterThanOrEqual(7 * PAGE);
      }
      results.push([await values(params), await optimizer.stateDict()]);
      optimizer.dispose();
      free(params);
    }
    expect(results[1]).toEqual(results[0]);
    expect(existsSync(file)).toBe(false);
  });

  it('never overwrite a file that is there', () => {
    writeFileSync(file, 'precious');
    const params = parameters([4], 1);
    expect(() => new AdamW(params, { file })).toThrow(
      `AdamW: file must be a path where nothing is yet, got ${file}, which exists; ` +
        'give another, or delete it if a run that was killed left it behind',
    );
    expect(statSync(file).size).toBe(8);
    free(params);
  });

  it('that is cut short are an error, not zeros', async () => {
    const params = parameters([40], 1);
    const optimizer = new AdamW(params, { pageBytes: PAGE, deviceBytes: PAGE, file });
    setGradients(params, 0);
    await optimizer.step();
    writeFileSync(file, new Uint8Array(PAGE + 8));
    await expect(optimizer.stateDict()).rejects.toThrow(
      `optimizer pages: ${file} was cut short: page 1 ends at byte 8`,
    );
    optimizer.dispose();
    free(params);
  });

  it('need a file system', () => {
    const params = parameters([4], 1);
    vi.stubGlobal('process', undefined);
    try {
      expect(() => new AdamW(params, { file })).toThrow(
        "AdamW: file needs Node's file system; leave it out here, and pages go to host memory",
      );
    } finally {
      vi.unstubAllGlobals();
    }
    free(params);
  });
});
