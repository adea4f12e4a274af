import { type Fixture, readFixture } from '@burin/testing';
import { describe, it } from 'vitest';
import { headsFirst, tokensFirst } from './attention-arguments.js';
import { expectGolden, runners } from './golden.js';
import { dirty } from './inputs.js';
import { kernelsOf } from './run-kernel.js';

/** Angle of each token and pair: position · inverse frequency; one table row for each token, in order. */
function anglesOf(fixture: Fixture, rotaryDim: number): Float64Array {
  const half = rotaryDim / 2;
  const frequency = fixture.has('inv_freq')
    ? (pair: number) => fixture.floats('inv_freq')[pair]!
    : (pair: number) => fixture.number('rope_theta') ** (-pair / half);
  return Float64Array.from(
    { length: fixture.ints('position_ids').length * half },
    (_, i) => fixture.ints('position_ids')[Math.floor(i / half)]! * frequency(i % half),
  );
}

/** `rotary_dim`, or the whole head. */
function rotaryDimOf(fixture: Fixture): number {
  return Number(fixture.manifest.config.rotary_dim ?? fixture.number('head_dim'));
}

const CASES = ['gpt_neox_partial', 'gptj_interleaved', 'llama3_scaling', 'llama_theta10000', 'llama_theta500000'];

describe.each(runners)('rotary embeddings on %s', (runner) => {
  it.each(CASES)('%s', async (name) => {
    const fixture = readFixture('rope', name);
    const isInterleaved = name === 'gptj_interleaved'; // which also has tokens before heads
    const [batch, tokens, headDim] = [fixture.number('batch'), fixture.number('seq'), fixture.number('head_dim')];
    const rotaryDim = rotaryDimOf(fixture);
    const angles = anglesOf(fixture, rotaryDim);
    const rotate = async (x: Float32Array, inverse: boolean) => {
      const y = dirty(x.length);
      const heads = x.length / (batch * tokens * headDim);
      await kernelsOf(runner)('rope', {
        ...{ x, y, positions: Int32Array.from({ length: batch * tokens }, (_, i) => i), tableRows: batch * tokens },
        ...{ cos: Float32Array.from(angles, Math.cos), sin: Float32Array.from(angles, Math.sin) },
        strides: (isInterleaved ? tokensFirst : headsFirst)(tokens, heads, headDim),
        ...{ batch, heads, tokens, headDim, rotaryDim, interleaved: isInterleaved, inverse },
      });
      return y;
    };
    expectGolden(fixture, {
      q_out: await rotate(fixture.floats('q'), false),
      k_out: await rotate(fixture.floats('k'), false),
      'grad.q': await rotate(fixture.floats('d_q_out'), true),
      'grad.k': await rotate(fixture.floats('d_k_out'), true),
    });
  });
});
