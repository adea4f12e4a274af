import { blockUntilReady, defaultDevice, init, nn, numpy as np } from '@jax-js/jax';
import { doneHere, values } from './common.mjs';

/** jax-js on its WebAssembly device. Its operations use up their arguments: `ref` keeps one. */
export async function open() {
  await init('wasm');
  defaultDevice('wasm');
  const array = (shape) => np.array(values(shape), { shape });
  return {
    engine: 'jax-js (wasm)',
    threads: 1,
    prepare(name, shape) {
      const job = jobOf(name, shape, array);
      if (job === null) return null;
      const run = async () => {
        const y = job.run();
        await blockUntilReady(y);
        y.dispose();
      };
      return Promise.resolve({ run, check: doneHere, dispose: () => disposeAll(job.inputs) });
    },
  };
}

function disposeAll(inputs) {
  for (const input of inputs) input.dispose();
}

function jobOf(name, shape, array) {
  if (name.startsWith('product/')) {
    const [m, k, n] = shape;
    const [a, b] = [array(name[8] === 't' ? [k, m] : [m, k]), array(name[9] === 't' ? [n, k] : [k, n])];
    const op = (x, transposed) => (transposed ? np.transpose(x.ref) : x.ref);
    return { inputs: [a, b], run: () => np.matmul(op(a, name[8] === 't'), op(b, name[9] === 't')) };
  }
  const [x, y] = [array([...shape]), array([...shape])];
  const inputs = [x, y];
  if (name === 'elementwise/add') return { inputs, run: () => np.add(x.ref, y.ref) };
  if (name === 'elementwise/exp') return { inputs, run: () => np.exp(x.ref) };
  if (name === 'elementwise/gelu') return { inputs, run: () => nn.gelu(x.ref) };
  if (name === 'row/softmax') return { inputs, run: () => nn.softmax(x.ref, -1) };
  disposeAll(inputs);
  return null;
}
