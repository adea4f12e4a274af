import {
  ARGUMENT_COUNT,
  ARGUMENTS,
  FAILED,
  FINISHED,
  GRAIN,
  KERNEL,
  PARKED,
  READY,
  REMAINING,
  SCRATCH,
  SCRATCH_STRIDE,
  SLICES,
  SPIN_MS,
  THREADS,
  UNITS,
  WAITING,
} from './board-layout.js';

/** What a worker is given when it starts. */
export interface WorkerTask {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: SharedArrayBuffer; // int32: see board-layout.ts
  readonly job: SharedArrayBuffer; // float64
  readonly recipe: SharedArrayBuffer; // how to open the BLAS; a text: see shared-text.ts
  readonly reason: SharedArrayBuffer; // why a kernel failed; a text
  readonly index: number; // from 1; the calling thread is 0
}

/**
 * The program of a worker, as text: packages are bundled, so there is no file to start it from. `serve(task)` takes
 * slices as long as there are any, spins for a moment, and sleeps until the next job is posted. `connectBlas`, where there
 * is one, gives kernels their products by a BLAS: see blas-worker.node.ts.
 */
export const WORKER_SOURCE = `
function serve({ module, memory, control: controlBuffer, job: jobBuffer, recipe, reason, index }, connectBlas) {
  const control = new Int32Array(controlBuffer);
  const job = new Float64Array(jobBuffer);
  const sgemm = connectBlas ? connectBlas(memory, () => read(recipe)) : () => { throw new Error('it has no BLAS'); };
  const { exports } = new WebAssembly.Instance(module, { env: { memory, sgemm } });
  const kernels = WebAssembly.Module.exports(module).map(({ name }) => exports[name]);

  function take() {
    for (;;) {
      const remaining = Atomics.load(control, ${REMAINING});
      if (remaining === 0) return;
      const count = Math.max(1, Math.floor(remaining / (2 * job[${THREADS}]))); // as in board.ts
      if (Atomics.compareExchange(control, ${REMAINING}, remaining, remaining - count) !== remaining) continue;
      try {
        run(remaining, count);
      } catch (error) {
        if (Atomics.exchange(control, ${FAILED}, 1) === 0) write(reason, String(error.message).slice(0, 1000));
      }
      Atomics.add(control, ${FINISHED}, count);
      if (Atomics.load(control, ${WAITING}) === 1) Atomics.notify(control, ${FINISHED});
    }
  }

  function run(remaining, count) {
    const first = job[${SLICES}] - remaining;
    const args = Array.from(job.subarray(${ARGUMENTS}, ${ARGUMENTS} + job[${ARGUMENT_COUNT}]));
    args.push(first * job[${GRAIN}], Math.min(job[${UNITS}], (first + count) * job[${GRAIN}]));
    if (job[${SCRATCH}] > 0) args.push(job[${SCRATCH}] + index * job[${SCRATCH_STRIDE}]);
    kernels[job[${KERNEL}]](...args);
  }

  function read(text) {
    return new TextDecoder().decode(new Uint8Array(text, 4, Atomics.load(new Int32Array(text, 0, 1), 0)).slice());
  }

  function write(text, value) {
    const bytes = new TextEncoder().encode(value);
    new Uint8Array(text, 4).set(bytes);
    Atomics.store(new Int32Array(text, 0, 1), 0, bytes.length);
  }

  function spin() {
    const end = performance.now() + ${SPIN_MS};
    do {
      for (let i = 0; i < 50; i++) if (Atomics.load(control, ${REMAINING}) !== 0) return true;
    } while (performance.now() < end);
    return false;
  }

  Atomics.add(control, ${READY}, 1);
  for (;;) {
    take();
    if (spin()) continue;
    Atomics.add(control, ${PARKED}, 1);
    Atomics.wait(control, ${REMAINING}, 0);
    Atomics.sub(control, ${PARKED}, 1);
  }
}
`;
