import type { AttentionArguments, AttentionGradients } from '../kernels/attention.js';
import { addBiasGradient } from './attention-bias.js';
import {
  type Block,
  blockScores,
  blocksOf,
  groupRows,
  type HeadProduct,
  headProduct,
  keyHeads,
  outHeads,
  queryHeads,
  toProbabilities,
  valueHeads,
} from './attention-block.js';
import { type Drop, dropInto, dropOf } from './attention-dropout.js';
import { addRows, pulls, scoreGradients, zeros } from './attention-kernels.js';
import { type Memory, packedTokens, placeForTokens, Workspace } from './heads.js';
import { view } from './launcher.js';

/** Sums over the blocks: gradients of keys and values, `[batch, kvHeads, keys, size]`; and `g · out` of each query. */
interface Sums {
  readonly dk: Memory;
  readonly dv: Memory;
  readonly pull: Memory;
  /** Whether there is one block, over all keys: then its products are the sums. */
  readonly single: boolean;
}

/**
 * With P = drop(p), from a block's probabilities p:
 *
 *     dv += Pᵀ · g      dp = drop(g · vᵀ)      ds = p · (dp − g·out)
 *     dq = scale · ds · k      dk += scale · dsᵀ · q      dbias += ds
 */
export function attentionBackward(work: Workspace, args: AttentionArguments, gradients: AttentionGradients): void {
  const { batch, kvHeads, keys, headDim, valueDim } = args;
  const blocks = batch * args.heads === 0 ? [] : blocksOf(args);
  const dk = placeForTokens(work, { ...keyHeads(args), memory: gradients.dk }, 0, keys);
  const dv = placeForTokens(work, { ...valueHeads(args), memory: gradients.dv }, 0, keys);
  const single = blocks.length === 1 && blocks[0]!.columns === keys;
  if (!single) {
    work.launcher.launch(zeros, dk.memory, batch * kvHeads * keys * headDim, []);
    work.launcher.launch(zeros, dv.memory, batch * kvHeads * keys * valueDim, []);
  }
  const sums = { dk: dk.memory, dv: dv.memory, pull: pullsOf(work, args, gradients), single };
  for (const block of blocks) {
    const inner = new Workspace(work.launcher);
    backwardBlock(inner, args, gradients, block, sums);
    inner.close();
  }
  dk.place();
  dv.place();
}

function pullsOf(work: Workspace, args: AttentionArguments, { g }: AttentionGradients): Memory {
  const { out, outStrides, batch, heads, queries, valueDim } = args;
  const pull = work.take(batch * heads * queries);
  const scalars = [heads, valueDim, outStrides.batch, outStrides.head, outStrides.token];
  work.launcher.launch(pulls, pull, [queries, batch * heads, 1], [g, out], scalars);
  return pull;
}

function backwardBlock(
  work: Workspace,
  args: AttentionArguments,
  gradients: AttentionGradients,
  block: Block,
  sums: Sums,
): void {
  const { start, end, firstKey, lastKey, columns } = block;
  const { batch, heads, headDim, valueDim, queries, scale, lse } = args;
  const q = packedTokens(work, queryHeads(args), start, end);
  const k = packedTokens(work, keyHeads(args), firstKey, lastKey);
  const p = blockScores(work, args, block, q, k);
  toProbabilities(work, args, block, p, lse, queries, start);
  const g = packedTokens(work, { ...outHeads(args), memory: gradients.g }, start, end);
  const grouped = groupRows(args, block);

  const drop = dropOf(work, args, block);
  const dropped = drop ? work.take(batch * heads * block.rows * columns) : p;
  if (drop) dropInto(work, args, block, drop, p, dropped);
  const perKey = { m: columns, k: grouped, transposeA: true };
  addToRows(work, args, block, sums.dv, sums.single, { a: dropped, b: g, ...perKey, n: valueDim });

  const v = packedTokens(work, valueHeads(args), firstKey, lastKey);
  const ds = work.take(batch * heads * block.rows * columns);
  headProduct(work, args, { a: g, b: v, y: ds, m: grouped, n: columns, k: valueDim, transposeB: true });
  toScoreGradients(work, args, block, drop, p, ds, sums.pull);

  const dq = placeForTokens(work, { ...queryHeads(args), memory: gradients.dq }, start, end);
  headProduct(work, args, { a: ds, b: k, y: dq.memory, m: grouped, n: headDim, k: columns, alpha: scale });
  dq.place();
  addToRows(work, args, block, sums.dk, sums.single, { a: ds, b: q, ...perKey, n: headDim, alpha: scale });
  if (gradients.dbias) addBiasGradient(work, args, block, gradients.dbias, ds);
}

/** Turns gradients of probabilities into those of scores, in place. */
function toScoreGradients(
  { launcher }: Workspace,
  args: AttentionArguments,
  { start, rows, columns }: Block,
  drop: Drop | null,
  p: Memory,
  dp: Memory,
  pull: Memory,
): void {
  const inputs = [view(p, columns, rows), view(dp, columns, rows), view(pull, args.queries), ...(drop?.inputs ?? [])];
  const kernel = scoreGradients(drop?.source ?? 'none');
  const threads = [columns, rows, args.batch * args.heads] as const;
  launcher.launch(kernel, dp, threads, inputs, [start, ...(drop?.scalars ?? [])]);
}

/** Adds a product to the block's keys in `sum`, or puts it there where there is no other. */
function addToRows(
  work: Workspace,
  args: AttentionArguments,
  { firstKey, columns }: Block,
  sum: Memory,
  single: boolean,
  product: Omit<HeadProduct, 'y'>,
): void {
  if (single || columns === args.keys) {
    headProduct(work, args, { ...product, y: sum, accumulate: !single });
    return;
  }
  const heads = args.batch * args.kvHeads;
  const part = work.take(heads * columns * product.n);
  headProduct(work, args, { ...product, y: part });
  const inputs = [view(sum, product.n, args.keys), view(part, product.n, columns)];
  work.launcher.launch(addRows, sum, [product.n, args.keys, heads], inputs, [firstKey, columns]);
}
