import { record } from '../autograd.js';
import { scope } from '../scope.js';
import { resolveAxis } from '../shape.js';
import { Tensor } from '../tensor.js';
import { transpose } from './movement.js';
import { widened } from './operand.js';

/** `exp(x − max) / Σ exp(x − max)` along `axis`. −∞ gives 0; a row of only −∞ gives zeros. */
export function softmax(x: Tensor, axis = -1): Tensor {
  return along(x, axis, false);
}

/** The logarithm of softmax, without its underflow. */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return along(x, axis, true);
}

function along(input: Tensor, axis: number, log: boolean): Tensor {
  const who = log ? 'logSoftmax' : 'softmax';
  return widened(who, [input], (x) => {
    const at = resolveAxis(axis, x.shape.length, who);
    if (at === x.shape.length - 1) return rows(x, log, who);
    return scope(() => transpose(rows(transpose(x, at, -1), log, who), at, -1));
  });
}

function rows(x: Tensor, log: boolean, who: string): Tensor {
  const { kernels } = x.device;
  const cols = x.shape.at(-1)!;
  const count = cols === 0 ? 0 : x.size / cols;
  const y = Tensor.allocate(x.shape, 'float32', x.device);
  kernels.softmax(x.storage.buffer, y.storage.buffer, count, cols, log);
  return record(who, [x], y, [y], (g, { saved }) => {
    const dx = Tensor.allocate(x.shape, 'float32', x.device);
    kernels.softmaxBackward(saved[0]!.storage.buffer, g.storage.buffer, dx.storage.buffer, count, cols, log);
    return [dx];
  });
}
