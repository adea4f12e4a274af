import type { Work } from './case.js';
import type { Timing } from './measure.js';

/** A measured case: one line of `--json`, and of the baseline. */
export interface BenchRecord {
  readonly name: string;
  readonly shape: string;
  /** What the device says is at work, or the peer's name. */
  readonly engine: string;
  readonly threads: number;
  /** Median of a run, in milliseconds. */
  readonly ms: number;
  readonly msBest: number;
  /** Processor time of a run, of all threads. */
  readonly msCpu: number;
  readonly gflops?: number;
  readonly gbps?: number;
  /** Of the memory bandwidth that was measured with as many threads; above 1 where caches hold the operands. */
  readonly shareOfBandwidth?: number;
  readonly tokensPerSecond?: number;
  readonly microsecondsPerOperation?: number;
  /** The most bytes on the device at once while it ran, inputs included. */
  readonly peakBytes?: number;
}

/** What the median says about the work, in the work's own unit. */
export function rates(work: Work, { median: ms }: Timing, bandwidth: number | null): Partial<BenchRecord> {
  if ('flops' in work) return { gflops: rounded(work.flops / ms / 1e6) };
  if ('tokens' in work) return { tokensPerSecond: rounded((1000 * work.tokens) / ms) };
  if ('operations' in work) return { microsecondsPerOperation: rounded((1000 * ms) / work.operations) };
  const gbps = work.bytes / ms / 1e6;
  return { gbps: rounded(gbps), ...(bandwidth !== null && { shareOfBandwidth: rounded(gbps / bandwidth) }) };
}

/** Four digits: more would be noise. */
export function rounded(value: number): number {
  return Number(value.toPrecision(4));
}

/** The same case in another run. */
export function sameCase(a: BenchRecord, b: BenchRecord): boolean {
  return a.name === b.name && a.shape === b.shape;
}

/** Records of JSON lines. @throws RangeError that names the line that is none */
export function parseRecords(text: string, where: string): BenchRecord[] {
  return text
    .split('\n')
    .map((line, i) => [line.trim(), i + 1] as const)
    .filter(([line]) => line !== '')
    .map(([line, number]) => {
      const value = parse(line) as Partial<BenchRecord> | null;
      if (typeof value?.name === 'string' && typeof value.shape === 'string' && typeof value.ms === 'number') {
        return value as BenchRecord;
      }
      throw new RangeError(
        `bench: ${where}: line ${number} must be a record, as --json writes them, got ${line.slice(0, 60)}`,
      );
    });
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
