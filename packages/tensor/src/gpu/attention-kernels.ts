import { DROP_FUNCTIONS, DROP_INPUTS, DROP_NUMBER, DROP_SCALARS, type DropSource } from './attention-dropout.js';
import { expOf, infinite, logOf } from './functions.js';
import { family, type GpuKernel, gpuKernel, type ScalarType } from './kernel.js';
import { quotientOf, remainderOf } from './walk.js';

// The steps of attention that are not products. Thread (x, y, z) stands for key x and query y of (batch, head) z of a block
// of scores; `firstQuery` and `firstKey` say where the block begins.

/** The score of a key that is not seen. Finite, since drivers need not keep infinity. */
const HIDDEN = -3.4e38;
const SEEN_ABOVE = -3e38;

const ORIGIN = { firstQuery: 'Integer', firstKey: 'Integer' } as const;
const WINDOW = { windowLeft: 'Integer', windowRight: 'Integer', queryOffset: 'Integer' } as const;

const WINDOW_TEST = `
  if (windowLeft >= 0) {
    if (this.thread.x + firstKey < this.thread.y + firstQuery + queryOffset - windowLeft) { return ${HIDDEN}; }
  }
  if (windowRight >= 0) {
    if (this.thread.x + firstKey > this.thread.y + firstQuery + queryOffset + windowRight) { return ${HIDDEN}; }
  }`;

const MASK_TEST = `
  if (keyMask[0][quotientOf(this.thread.z, heads)][this.thread.x + firstKey] < 0.5) { return ${HIDDEN}; }`;

const SEGMENT_TEST = `
  const segmentOfQuery = querySegments[0][quotientOf(this.thread.z, heads)][this.thread.y + firstQuery];
  const segmentOfKey = keySegments[0][quotientOf(this.thread.z, heads)][this.thread.x + firstKey];
  if (Math.abs(segmentOfQuery - segmentOfKey) > 0.5) { return ${HIDDEN}; }`;

const BIAS_AT = `bias[biasStart + quotientOf(this.thread.z, heads) * biasBatch + remainderOf(this.thread.z, heads) * biasHead +
    this.thread.y * biasToken + this.thread.x]`;

const INTEGER: ScalarType = 'Integer';

/** Scores plus bias, and hidden where a key is not seen. */
export const hideScores = family((window: boolean, keyMask: boolean, segments: boolean, bias: boolean): GpuKernel => {
  const inputs = [
    'scores',
    keyMask && 'keyMask',
    segments && 'querySegments',
    segments && 'keySegments',
    bias && 'bias',
  ];
  return gpuKernel(
    `hideScores(${window},${keyMask},${segments},${bias})`,
    inputs.filter((name) => name !== false),
    {
      ...ORIGIN,
      heads: INTEGER,
      ...(window ? WINDOW : {}),
      ...(bias ? { biasStart: INTEGER, biasBatch: INTEGER, biasHead: INTEGER, biasToken: INTEGER } : {}),
    },
    `${window ? WINDOW_TEST : ''}${keyMask ? MASK_TEST : ''}${segments ? SEGMENT_TEST : ''}
     return scores[this.thread.z][this.thread.y][this.thread.x]${bias ? ` + ${BIAS_AT}` : ''};`,
    { functions: [quotientOf, remainderOf] },
  );
});

/** `log Σ exp(score)` of query x of (batch, head) y; −∞ where no key is seen. */
export const logSumExp = gpuKernel(
  'logSumExp',
  ['scores'],
  { keys: 'Integer' },
  `let most = ${HIDDEN};
   for (let j = 0; j < keys; j++) {
     const score = scores[this.thread.y][this.thread.x][j];
     if (score > most) { most = score; }
   }
   if (most < ${SEEN_ABOVE}) { return infinite(0) * -1; }
   let sum = 0;
   for (let again = 0; again < keys; again++) {
     sum += expOf(scores[this.thread.y][this.thread.x][again] - most);
   }
   return most + logOf(sum);`,
  { functions: [expOf, logOf, infinite] },
);

/** `exp(score − lse)`, 0 where the key is not seen. */
export const probabilities = gpuKernel(
  'probabilities',
  ['scores', 'lse'],
  { firstQuery: 'Integer' },
  `const score = scores[this.thread.z][this.thread.y][this.thread.x];
   if (score < ${SEEN_ABOVE}) { return 0; }
   return expOf(score - lse[0][this.thread.z][this.thread.y + firstQuery]);`,
  { functions: [expOf] },
);

/** `g · out` of query x of (batch, head) y, both with the strides of out. */
export const pulls = gpuKernel(
  'pulls',
  ['g', 'out'],
  { heads: 'Integer', size: 'Integer', batchStride: 'Integer', headStride: 'Integer', tokenStride: 'Integer' },
  `let sum = 0;
   for (let d = 0; d < size; d++) {
     sum += g[${at('d')}] * out[${at('d')}];
   }
   return sum;`,
  { functions: [quotientOf, remainderOf] },
);

function at(d: string): string {
  return (
    `quotientOf(this.thread.y, heads) * batchStride + remainderOf(this.thread.y, heads) * headStride + ` +
    `this.thread.x * tokenStride + ${d}`
  );
}

/** `p · (factor · dp − pull)`; 0 where p is, whatever number dp has come to there. */
export const scoreGradients = family((source: DropSource | 'none') => {
  const drops = source !== 'none';
  return gpuKernel(
    `scoreGradients(${source})`,
    ['p', 'dp', 'pulls', ...(drops ? DROP_INPUTS[source] : [])],
    { first: 'Integer', ...(drops ? DROP_SCALARS[source] : {}) },
    `const probability = p[this.thread.z][this.thread.y][this.thread.x];
     if (probability === 0) { return 0; }
     let gradient = dp[this.thread.z][this.thread.y][this.thread.x];
     ${drops ? `gradient = gradient * kept;\n     if (${DROP_NUMBER[source]} < dropout) { gradient = 0; }` : ''}
     return probability * (gradient - pulls[0][this.thread.z][this.thread.y + first]);`,
    { functions: drops ? DROP_FUNCTIONS[source] : [] },
  );
});

/** What rows that are added to begin with. */
export const zeros = gpuKernel('zeros', [], {}, 'return 0;');

/** Rows `first .. first + count` of each product z get `part`'s added. */
export const addRows = gpuKernel(
  'addRows',
  ['sum', 'part'],
  { first: 'Integer', count: 'Integer' },
  `const before = sum[this.thread.z][this.thread.y][this.thread.x];
   if (this.thread.y < first) { return before; }
   if (this.thread.y >= first + count) { return before; }
   return before + part[this.thread.z][this.thread.y - first][this.thread.x];`,
);

/** Score gradients summed over the axes that the bias repeats: batches, heads, queries. */
export const biasGradient = gpuKernel(
  'biasGradient',
  ['before', 'ds'],
  { biasHeads: 'Integer', heads: 'Integer', batches: 'Integer', perHead: 'Integer', queries: 'Integer' },
  `let sum = before[this.thread.z][this.thread.y][this.thread.x];
   for (let b = 0; b < batches; b++) {
     for (let h = 0; h < perHead; h++) {
       for (let i = 0; i < queries; i++) {
         sum += ds[(quotientOf(this.thread.z, biasHeads) + b) * heads + remainderOf(this.thread.z, biasHeads) + h][this.thread.y + i][this.thread.x];
       }
     }
   }
   return sum;`,
  { functions: [quotientOf, remainderOf] },
);
