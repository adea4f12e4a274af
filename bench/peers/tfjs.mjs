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

function jobOf(name, shape, array) {
  if (name.startsWith('product/')) {
    const [m, k, n] = shape;
    const [transposeA, transposeB] = [name[8] === 't', name[9] === 't'];
    const inputs = [array(transposeA ? [k, m] : [m, k]), array(transposeB ? [n, k] : [k, n])];
    return { inputs: [...inputs], run: () => tf.matMul(inputs[0], inputs[1], transposeA, transposeB) };
  }
  const [x, y] = [array([...shape]), array([...shape])];
  const inputs = [x, y];
  if (name === 'elementwise/add') return { inputs, run: () => tf.add(x, y) };
  if (name === 'elementwise/exp') return { inputs, run: () => tf.exp(x) };
  if (name === 'row/softmax') return { inputs, run: () => tf.softmax(x) };
  tf.dispose(inputs);
  return null;
}
