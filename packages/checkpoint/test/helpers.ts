import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ByteSource } from '@burin/checkpoint';
import { afterEach } from 'vitest';

/** A file out of a header, as text or as a value, and bytes of data. `length` lies about the header's length. */
export function fileOf(header: unknown, data = new Uint8Array(0), length?: bigint): Uint8Array<ArrayBuffer> {
  const json = header instanceof Uint8Array ? header : new TextEncoder().encode(textOf(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, length ?? BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}

function textOf(header: unknown): string {
  return typeof header === 'string' ? header : JSON.stringify(header);
}

/** A source that counts what is read and fails the test (not with a CheckpointError) where a read leaves the file. */
export function guardedSource(bytes: Uint8Array, name = 'model.safetensors') {
  const guarded = {
    name,
    size: bytes.length,
    reads: [] as { offset: number; length: number }[],
    closed: 0,
    async read(offset: number, length: number) {
      const inside = Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= bytes.length;
      if (!inside) throw new RangeError(`read outside the source: ${length} bytes from ${offset} of ${bytes.length}`);
      guarded.reads.push({ offset, length });
      return bytes.subarray(offset, offset + length);
    },
    async close() {
      guarded.closed++;
    },
  } satisfies ByteSource & Record<string, unknown>;
  return guarded;
}

/** A folder of the test's own, removed after it. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'burin-checkpoint-'));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];

afterEach(async () => {
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});
