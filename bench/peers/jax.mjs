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

const OPERATIONS = {
  'elementwise/add': (x, y) => np.add(x.ref, y.ref),
  'elementwise/exp': (x) => np.exp(x.ref),
  'elementwise/gelu': (x) => nn.gelu(x.ref),
  'row/softmax': (x) => nn.softmax(x.ref, -1),
};

function jobOf(name, shape, array) {
  if (name.startsWith('product/')) {
    const [m, k, n] = shape;
    const [a, b] = [array(name[8] === 't' ? [k, m] : [m, k]), array(name[9] === 't' ? [n, k] : [k, n])];
    const op = (x, transposed) => (transposed ? np.transpose(x.ref) : x.ref);
    return { inputs: [a, b], run: () => np.matmul(op(a, name[8] === 't'), op(b, name[9] === 't')) };
  }
  const operation = OPERATIONS[name];
  if (!operation) return null;
  const inputs = [array(shape), array(shape)];
  return { inputs, run: () => operation(...inputs) };
}
