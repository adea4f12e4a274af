import type { BenchRecord } from './record.js';

const COLUMNS = [36, 22, 10, 16, 14, 10] as const;

/** The head of the report. */
export function tableHead(compared: boolean): string {
  return row(['case', 'shape', 'median', 'rate', 'peak', ...(compared ? ['before/now'] : [])]);
}

/** One measured case. `before` is the same case of the baseline: a ratio above 1 says that it became faster. */
export function tableRow(record: BenchRecord, before?: BenchRecord | null): string {
  const ratio = before === undefined ? [] : [before === null ? '-' : (before.ms / record.ms).toFixed(2)];
  return row([record.name, record.shape, milliseconds(record.ms), rate(record), peak(record), ...ratio]);
}

function row(cells: readonly string[]): string {
  return cells.map((cell, i) => (i < 2 ? cell.padEnd(COLUMNS[i]!) : cell.padStart(COLUMNS[i]!))).join(' ');
}

function milliseconds(ms: number): string {
  return ms < 0.1 ? `${(1000 * ms).toPrecision(3)} us` : `${ms.toPrecision(4)} ms`;
}

function rate({ gflops, gbps, shareOfBandwidth, tokensPerSecond, microsecondsPerOperation }: BenchRecord): string {
  if (gflops !== undefined) return `${gflops.toFixed(1)} GFLOP/s`;
  if (tokensPerSecond !== undefined) return `${tokensPerSecond.toFixed(0)} tokens/s`;
  if (microsecondsPerOperation !== undefined) return `${microsecondsPerOperation.toFixed(2)} us/op`;
  if (gbps === undefined) return '';
  const share = shareOfBandwidth === undefined ? '' : ` (${(100 * shareOfBandwidth).toFixed(0)} %)`;
  return `${gbps.toFixed(1)} GB/s${share}`;
}

function peak({ peakBytes }: BenchRecord): string {
  return peakBytes === undefined ? '' : `${(peakBytes / 2 ** 20).toFixed(1)} MiB`;
}
