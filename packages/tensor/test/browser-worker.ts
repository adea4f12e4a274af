import { resolveObjectURL } from 'node:buffer';
import { Worker } from 'node:worker_threads';

/** A browser's Worker on a thread of Node: started from the URL of a blob, given its task by a message. */
export class BrowserWorker {
  onerror: ((event: { message: string }) => void) | null = null;
  onmessageerror: (() => void) | null = null;
  readonly #worker: Promise<Worker>;

  constructor(url: string) {
    this.#worker = start(url);
  }

  async postMessage(message: unknown): Promise<void> {
    (await this.#worker).postMessage(message);
  }

  async terminate(): Promise<void> {
    await (await this.#worker).terminate();
  }
}

async function start(url: string): Promise<Worker> {
  const source = await resolveObjectURL(url)!.text();
  const receive = "require('node:worker_threads').parentPort.on('message', (data) => onmessage({ data }));";
  const worker = new Worker(`${source}\n${receive}`, { eval: true, execArgv: [] });
  worker.unref();
  return worker;
}
