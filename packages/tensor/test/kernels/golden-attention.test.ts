import { type Fixture, fixtureCases, readFixture } from '@burin/testing';
import { describe, it } from 'vitest';
import { attentionArguments, headsFirst } from './attention-arguments.js';
import { expectGolden, runners } from './golden.js';
import { dirty, zeros } from './inputs.js';
import type { reference } from './reference-forward.js';
import { kernelsOf } from './run-kernel.js';

/** The case as PyTorch's scaled_dot_product_attention ran it: q, k, v are [batch, heads, tokens, size]. */
function argumentsOf(fixture: Fixture): reference.AttentionArguments {
  const config = fixture.manifest.config as {
    causal: boolean;
    key_lengths: number[] | null;
    sliding_window: number | null;
  };
  const [batch, heads, kvHeads] = [fixture.number('batch'), fixture.number('n_heads'), fixture.number('n_kv_heads')];
  const [queries, keys] = [fixture.number('seq_q'), fixture.number('seq_k')];
  const [headDim, valueDim] = [fixture.number('head_dim'), fixture.number('head_dim_v')];
  const lengths = config.key_lengths;
  return attentionArguments({
    ...{ q: fixture.floats('q'), k: fixture.floats('k'), v: fixture.floats('v') },
    ...{ batch, heads, kvHeads, queries, keys, headDim, valueDim, scale: fixture.number('scale_used') },
    qStrides: headsFirst(queries, heads, headDim),
    kStrides: headsFirst(keys, kvHeads, headDim),
    vStrides: headsFirst(keys, kvHeads, valueDim),
    outStrides: headsFirst(queries, heads, valueDim),
    windowLeft: config.sliding_window === null ? -1 : config.sliding_window - 1, // W keys with the query's own
    windowRight: config.causal ? 0 : -1,
    queryOffset: fixture.number('query_offset'),
    keyMask:
      lengths &&
      Uint8Array.from({ length: batch * keys }, (_, i) => (i % keys < lengths[Math.floor(i / keys)]! ? 1 : 0)),
    bias: fixture.has('bias') ? fixture.floats('bias') : null,
    biasStrides: { batch: 0, head: queries * keys, token: keys },
  });
}

const cases = fixtureCases('attention').filter((name) => name.startsWith('sdpa_'));

describe.each(runners)('scaled_dot_product_attention on %s', (runner) => {
  it.each(cases)('%s', async (name) => {
    const fixture = readFixture('attention', name);
    const args = argumentsOf(fixture);
    const [dq, dk, dv] = [dirty(args.q.length), dirty(args.k.length), dirty(args.v.length)];
    const dbias = args.bias && zeros(args.bias.length);
    await kernelsOf(runner)('attention', args);
    await kernelsOf(runner)('attentionBackward', args, { g: fixture.floats('d_out'), dq, dk, dv, dbias });
    expectGolden(fixture, { out: args.out, 'grad.q': dq, 'grad.k': dk, 'grad.v': dv });
    if (dbias) expectGolden(fixture, { 'grad.bias': dbias });
  });
});
