import type { AttentionArguments, AttentionKernels } from '../kernels/attention.js';
import { attentionBackward } from './attention-backward.js';
import {
  type Block,
  blockScores,
  blocksOf,
  groupRows,
  headProduct,
  keyHeads,
  lseHeads,
  outHeads,
  queryHeads,
  toProbabilities,
  valueHeads,
} from './attention-block.js';
import { dropInto, dropOf } from './attention-dropout.js';
import { logSumExp } from './attention-kernels.js';
import { packedTokens, placeForTokens, Workspace } from './heads.js';
import { type Launcher, view } from './launcher.js';

/** Attention in blocks of queries, each a few launches; see kernels/attention.ts for the contract. */
export function attentionKernels(launcher: Launcher): Omit<AttentionKernels, 'rope'> {
  return {
    attention(args) {
      if (args.batch * args.heads * args.queries === 0) return;
      for (const block of blocksOf(args)) {
        const work = new Workspace(launcher);
        attendBlock(work, args, block);
        work.close();
      }
    },

    attentionBackward(args, gradients) {
      const work = new Workspace(launcher);
      attentionBackward(work, args, gradients);
      work.close();
    },
  };
}

/** out and lse of a block. */
function attendBlock(work: Workspace, args: AttentionArguments, block: Block): void {
  const { start, end, firstKey, lastKey, rows, columns } = block;
  const q = packedTokens(work, queryHeads(args), start, end);
  const k = packedTokens(work, keyHeads(args), firstKey, lastKey);
  const scores = blockScores(work, args, block, q, k);
  const lse = placeForTokens(work, lseHeads(args), start, end);
  const threads = [rows, args.batch * args.heads, 1] as const;
  work.launcher.launch(logSumExp, lse.memory, threads, [view(scores, columns, rows)], [columns]);
  toProbabilities(work, args, block, scores, lse.memory, rows, 0);
  const drop = dropOf(work, args, block);
  if (drop) dropInto(work, args, block, drop, scores, scores);
  const v = packedTokens(work, valueHeads(args), firstKey, lastKey);
  const out = placeForTokens(work, outHeads(args), start, end);
  const sizes = { m: groupRows(args, block), n: args.valueDim, k: columns };
  headProduct(work, args, { a: scores, b: v, y: out.memory, ...sizes });
  lse.place();
  out.place();
}
