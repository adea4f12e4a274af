import type { AttentionKernels, RopeArguments } from '../kernels/attention.js';
import { packedTokens, placeForTokens, Workspace } from './heads.js';
import { family, gpuKernel } from './kernel.js';
import { type Launcher, view } from './launcher.js';
import { quotientOf } from './walk.js';

/**
 * Element x of head z = (batch, head) of token y: with its partner it is turned by the angle of its pair. The first of a
 * pair is `a cos − b sin`, the second `a sin + b cos`.
 */
const rope = family((interleaved: boolean) =>
  gpuKernel(
    `rope(${interleaved})`,
    ['x', 'positions', 'cosines', 'sines'],
    { heads: 'Integer', rotaryDim: 'Integer', half: 'Integer', tableRows: 'Integer', sign: 'Float' },
    `const own = x[this.thread.z][this.thread.y][this.thread.x];
     if (this.thread.x >= rotaryDim) { return own; }
     const row = Math.max(0, Math.min(tableRows - 1, positions[0][quotientOf(this.thread.z, heads)][this.thread.y]));
     ${interleaved ? INTERLEAVED : HALVES}`,
    { functions: [quotientOf] },
  ),
);

function turn(pair: string, partner: string, sine: '+' | '-'): string {
  return `return own * cosines[0][row][${pair}] ${sine} sign * x[this.thread.z][this.thread.y][${partner}] * sines[0][row][${pair}];`;
}

const HALVES = `
     if (this.thread.x < half) { ${turn('this.thread.x', 'this.thread.x + half', '-')} }
     ${turn('this.thread.x - half', 'this.thread.x - half', '+')}`;

const INTERLEAVED = `
     if (this.thread.x - 2 * quotientOf(this.thread.x, 2) < 1) {
       ${turn('quotientOf(this.thread.x, 2)', 'this.thread.x + 1', '-')}
     }
     ${turn('quotientOf(this.thread.x, 2)', 'this.thread.x - 1', '+')}`;

export function ropeKernels(launcher: Launcher): Pick<AttentionKernels, 'rope'> {
  return {
    rope(args: RopeArguments) {
      const { x, y, positions, cos, sin, strides, batch, heads, tokens, headDim, rotaryDim, tableRows } = args;
      if (batch * heads * tokens === 0) return;
      const sizes = { strides, batch, heads, tokens, size: headDim };
      const half = rotaryDim / 2;
      const work = new Workspace(launcher);
      const from = packedTokens(work, { memory: x, ...sizes }, 0, tokens);
      const { memory: to, place } = placeForTokens(work, { memory: y, ...sizes }, 0, tokens);
      const tables = [view(positions, tokens), view(cos, half), view(sin, half)];
      launcher.launch(
        rope(args.interleaved),
        to,
        [headDim, tokens, batch * heads],
        [view(from, headDim, tokens), ...tables],
        [heads, rotaryDim, half, tableRows, args.inverse ? -1 : 1],
      );
      place();
      work.close();
    },
  };
}
