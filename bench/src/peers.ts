import type { Case, Prepared } from './case.js';
import { measure } from './measure.js';
import { type BenchRecord, rates, rounded } from './record.js';

/** A case run by another library. */
export interface PeerCase extends Case {
  readonly engine: string;
  readonly threads: number;
}

/** What a file of `bench/peers` exports: how the library does the cases that it can do. */
interface Peer {
  readonly engine: string;
  readonly threads: number;
  /** By case, or null for one that the library is not asked to do. */
  prepare(name: string, shape: readonly number[]): Promise<Prepared> | null;
}

const FILES = ['tfjs', 'jax'] as const;

/**
 * Those of `chosen` that the libraries in `bench/peers` can do. They are installed there on request only.
 *
 * @throws RangeError that says what to install
 */
export async function peerCases(chosen: readonly Case[]): Promise<PeerCase[]> {
  const found: PeerCase[] = [];
  for (const file of FILES) {
    const peer = await load(file);
    for (const one of chosen) {
      const preparing = () => peer.prepare(one.name, one.shape.split('x').map(Number));
      const probe = preparing();
      if (probe === null) continue;
      (await probe).dispose();
      found.push({ ...one, engine: peer.engine, threads: peer.threads, prepare: () => preparing()! });
    }
  }
  return found;
}

async function load(file: string): Promise<Peer> {
  try {
    const module = (await import(new URL(`../peers/${file}.mjs`, import.meta.url).href)) as { open(): Promise<Peer> };
    return await module.open();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new RangeError(
      `bench: --peers needs the other libraries: npm install --prefix bench/peers (${file}: ${why})`,
      {
        cause,
      },
    );
  }
}

export async function runPeerCase({ name, shape, work, engine, threads, prepare }: PeerCase): Promise<BenchRecord> {
  const prepared = await prepare();
  try {
    await prepared.check();
    const timing = await measure(prepared.run);
    const times = { ms: rounded(timing.median), msBest: rounded(timing.best), msCpu: rounded(timing.cpu) };
    return { name: `${engine} ${name}`, shape, engine, threads, ...times, ...rates(work, timing, null) };
  } finally {
    prepared.dispose();
  }
}
