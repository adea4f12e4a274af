import { RotaryEmbedding, type RotaryScaling, sinusoidalPositions } from '@burin/nn';
import { cat, embedding, type Tensor } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import { gradients, type Outcome, read } from '../outcome.js';
import type { Settings } from '../settings.js';
import { layoutOf } from './layout.js';

const INTERLEAVED: Readonly<Record<string, boolean>> = {
  rotate_half: false,
  rotate_half_partial: false,
  interleaved: true,
};

/** Position encodings: rotary ones of every style, and the sinusoidal table. */
export async function rope(c: Case): Promise<Outcome> {
  if (!c.config.has('style')) return { tensors: await read(() => sinusoidal(c)) };
  const rotary = rotaryOf(c.config);
  try {
    const tensors = await read(() => rotated(c, rotary));
    const { frequencies } = rotary;
    return { tensors: { ...tensors, inv_freq: { shape: [frequencies.length], data: frequencies } } };
  } finally {
    rotary.dispose();
  }
}

function sinusoidal({ config }: Case): Record<string, Tensor> {
  const table = (layout: 'interleaved' | 'concatenated') =>
    sinusoidalPositions(config.number('n_positions'), config.number('d_model'), {
      base: config.number('base'),
      layout,
    });
  return { pe: table('interleaved'), pe_concat: table('concatenated') };
}

function rotaryOf(config: Settings): RotaryEmbedding {
  const style = config.text('style');
  const interleaved = INTERLEAVED[style];
  if (interleaved === undefined) throw new Unsupported(`rotary embedding of style '${style}'`);
  const headDim = config.number('head_dim');
  return new RotaryEmbedding({
    headDim,
    rotaryDim: config.number('rotary_dim', headDim),
    theta: config.number('rope_theta'),
    scaling: config.has('rope_scaling') ? scalingOf(config.table('rope_scaling')) : null,
    interleaved,
  });
}

function scalingOf(scaling: Settings): RotaryScaling {
  const type = scaling.text('rope_type');
  const factor = scaling.number('factor');
  if (type === 'linear') return { type, factor };
  if (type !== 'llama3') throw new Unsupported(`rotary scaling of type '${type}'`);
  return {
    type,
    factor,
    lowFreqFactor: scaling.number('low_freq_factor'),
    highFreqFactor: scaling.number('high_freq_factor'),
    originalMaxPositionEmbeddings: scaling.number('original_max_position_embeddings'),
  };
}

function rotated(c: Case, rotary: RotaryEmbedding): Record<string, Tensor | null> {
  const [q, k, positions] = [c.leaf('q'), c.leaf('k'), c.tensor('position_ids')];
  const maxPosition = Math.max(...c.host('position_ids').data);
  const options = { layout: layoutOf(c), maxPosition };
  const [qOut, kOut] = [rotary.apply(q, positions, options), rotary.apply(k, positions, options)];
  qOut.backward(c.tensor('d_q_out'));
  kOut.backward(c.tensor('d_k_out'));
  const { cos, sin } = rotary.tables(maxPosition + 1);
  const twice = (table: Tensor) => {
    const half = embedding(table, positions); // [B, T, rotaryDim / 2]
    return cat([half, half], 2);
  };
  return { q_out: qOut, k_out: kOut, cos: twice(cos), sin: twice(sin), ...gradients({ q, k }) };
}
