/** Threads of the platform: worker_threads in Node, Web Workers in browsers. */
import { BLAS_WORKER_SOURCE } from './blas-worker.node.js';
import { WORKER_SOURCE, type WorkerTask } from './worker-source.js';

/** A started worker. */
export interface WorkerHandle {
  stop(): void;
}

/** More threads than this would mostly wait for memory, and for each other. */
const MOST_THREADS = 16;

/**
 * How many threads to use where nobody says: the environment variable BURIN_THREADS, else the processors that this
 * process may use.
 *
 * @throws RangeError if BURIN_THREADS is set to something else than a whole number of 1 or more
 */
export function defaultThreads(): number {
  const wanted = globalThis.process?.env?.BURIN_THREADS;
  if (wanted !== undefined && wanted !== '') return checkThreads('BURIN_THREADS', Number(wanted), wanted);
  const os = globalThis.process?.getBuiltinModule?.('node:os');
  const processors = os ? os.availableParallelism() : (globalThis.navigator?.hardwareConcurrency ?? 1);
  return Math.max(1, Math.min(MOST_THREADS, processors));
}

/** @throws RangeError if `threads` is no whole number of 1 or more */
export function checkThreads(who: string, threads: number, given: unknown = threads): number {
  if (Number.isInteger(threads) && threads >= 1) return threads;
  throw new RangeError(`cpu: ${who} must be a whole number of 1 or more, got ${given}`);
}

/** Why there can be no threads here, or null: a page shares memory only where it is isolated from other origins. */
export function reasonForOneThread(): string | null {
  if (typeof SharedArrayBuffer === 'undefined' || globalThis.crossOriginIsolated === false) {
    return 'no shared memory; a page must be cross-origin isolated for it';
  }
  return null;
}

/** Whether this thread may sleep; a browser's main thread may not. */
export function maySleep(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 1);
    return true;
  } catch {
    return false;
  }
}

/**
 * Starts a worker, which becomes ready later. It keeps no process alive. `onFailure` is called, also later, if it cannot
 * start or dies.
 *
 * @throws Error where the platform refuses at once
 */
export function startWorker(task: WorkerTask, onFailure: (reason: string) => void): WorkerHandle {
  const threads = globalThis.process?.getBuiltinModule?.('node:worker_threads');
  return threads ? startInNode(threads, task, onFailure) : startInBrowser(task, onFailure);
}

function startInNode(
  { Worker }: typeof import('node:worker_threads'),
  task: WorkerTask,
  onFailure: (reason: string) => void,
): WorkerHandle {
  const start = "serve(require('node:worker_threads').workerData, connectBlas);";
  const source = [WORKER_SOURCE, BLAS_WORKER_SOURCE, start].join('\n');
  // no flags of this process: a loader of TypeScript, say, would be started in every worker
  const worker = new Worker(source, { eval: true, workerData: task, execArgv: [], name: 'burin' });
  worker.on('error', (error) => onFailure(String(error)));
  worker.on('exit', () => onFailure('a worker thread ended'));
  worker.unref();
  return { stop: () => void worker.terminate() };
}

/** A browser tells a page no reason: its policy is what forbids the worker. */
const REFUSED = 'the browser refused to start a worker; a Content-Security-Policy must allow worker-src blob:';

function startInBrowser(task: WorkerTask, onFailure: (reason: string) => void): WorkerHandle {
  const source = `${WORKER_SOURCE}\nonmessage = ({ data }) => serve(data);`;
  const url = URL.createObjectURL(new Blob([source], { type: 'text/javascript' }));
  const worker = new Worker(url, { name: 'burin' });
  worker.onerror = (event) => onFailure(event.message || REFUSED);
  worker.onmessageerror = () => onFailure('the worker could not be sent its task');
  worker.postMessage(task);
  return {
    stop: () => {
      worker.terminate();
      URL.revokeObjectURL(url);
    },
  };
}
