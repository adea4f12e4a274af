import { describe, expect, it } from 'vitest';
import { measure, median } from '../src/measure.js';
import { type BenchRecord, parseRecords, rates } from '../src/record.js';
import { tableRow } from '../src/table.js';

const timing = { median: 2, best: 1, cpu: 2, runs: 5 };
const record: BenchRecord = {
  ...{ name: 'product/nn', shape: '2x2x2', engine: 'cpu', threads: 1, ms: 2, msBest: 1, msCpu: 2 },
  ...{ gflops: 12.34, peakBytes: 3 * 2 ** 20 },
};

describe('measuring', () => {
  it('takes the value in the middle', () => {
    expect(median([9, 1, 5])).toBe(5);
    expect(median([4, 1, 2, 9])).toBe(3);
  });

  it('runs as often as asked, waits for promises, and counts short runs together', async () => {
    let runs = 0;
    const waiting = async () => {
      await new Promise((resolve) => setTimeout(resolve, 20));
      runs++;
    };
    const slow = await measure(waiting, { milliseconds: 0, runs: 4 });
    expect(slow.runs).toBe(4);
    expect(runs).toBeGreaterThan(4); // warmed up before
    expect(slow.best).toBeGreaterThan(10); // a timer may come a little early
    const quick = await measure(() => {}, { milliseconds: 0, runs: 2 });
    expect(quick.runs).toBeGreaterThan(2);
    expect(quick.median).toBeLessThan(slow.median);
  });
});

describe('records', () => {
  it('say the work done in a second, in its own unit', () => {
    expect(rates({ flops: 4e9 }, timing, null)).toEqual({ gflops: 2000 });
    expect(rates({ bytes: 4e7 }, timing, 40)).toEqual({ gbps: 20, shareOfBandwidth: 0.5 });
    expect(rates({ bytes: 4e7 }, timing, null)).toEqual({ gbps: 20 });
    expect(rates({ tokens: 1024 }, timing, null)).toEqual({ tokensPerSecond: 512000 });
    expect(rates({ operations: 1000 }, timing, null)).toEqual({ microsecondsPerOperation: 2 });
  });

  it('are read back from lines, and a line that is none is named', () => {
    const line = JSON.stringify(record);
    expect(parseRecords(`${line}\n\n${line}\n`, 'base.jsonl')).toEqual([record, record]);
    expect(() => parseRecords(`${line}\n{"name":"x"}`, 'base.jsonl')).toThrow(
      'bench: base.jsonl: line 2 must be a record, as --json writes them, got {"name":"x"}',
    );
  });

  it('are rows of a table, with the ratio to the baseline where there is one', () => {
    expect(tableRow(record)).toMatch(/^product\/nn +2x2x2 +2\.000 ms +12\.3 GFLOP\/s +3\.0 MiB$/);
    expect(tableRow(record, { ...record, ms: 3 })).toMatch(/ 1\.50$/);
    expect(tableRow(record, null)).toMatch(/ -$/);
  });
});
