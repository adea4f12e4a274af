import '@tensorflow/tfjs-backend-wasm';
import * as tf from '@tensorflow/tfjs-core';
import { doneHere, values } from './common.mjs';

/** TensorFlow.js on its WebAssembly backend. Reading a result waits for it. */
export async function open() {
  await tf.setBackend('wasm');
  await tf.ready();
  const array = (shape) => tf.tensor(values(shape), shape);
  return {
    engine: 'tfjs (wasm)',
    threads: 1,
    prepare(name, shape) {
      const job = jobOf(name, shape, array);
      if (job === null) return null;
      // the backend computes at once, in the calling thread
      const run = () => job.run().dispose();
      return Promise.resolve({ run, check: doneHere, dispose: () => tf.dispose(job.inputs) });
    },
  };
}

const OPERATIONS = {
  'elementwise/add': (x, y) => tf.add(x, y),
  'elementwise/exp': (x) => tf.exp(x),
  'row/softmax': (x) => tf.softmax(x),
};

function jobOf(name, shape, array) {
  if (name.startsWith('product/')) {
    const [m, k, n] = shape;
    const [transposeA, transposeB] = [name[8] === 't', name[9] === 't'];
    const inputs = [array(transposeA ? [k, m] : [m, k]), array(transposeB ? [n, k] : [k, n])];
    return { inputs, run: () => tf.matMul(inputs[0], inputs[1], transposeA, transposeB) };
  }
  const operation = OPERATIONS[name];
  if (!operation) return null;
  const inputs = [array(shape), array(shape)];
  return { inputs, run: () => operation(...inputs) };
}
