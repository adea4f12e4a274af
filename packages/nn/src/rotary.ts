import { commonDevice, DtypeError, record, ShapeError, Tensor, tensor, widen } from '@burin/tensor';
import { buffer } from './module.js';
import { type RotaryOptions, rotaryFrequencies } from './rotary-frequencies.js';

/** Which axis counts tokens: `[B, H, T, D]` or `[B, T, H, D]`. */
export type HeadLayout = 'bhtd' | 'bthd';

/**
 * Rotary position embedding: turns pairs of elements of queries and keys by an angle that grows with the position, so
 * that their products depend on distances only (Su et al. 2021, https://arxiv.org/abs/2104.09864).
 *
 * Holds the tables of cosine and sine, built for as many positions as have been asked for; one object serves all layers.
 */
export class RotaryEmbedding {
  readonly headDim: number;
  readonly rotaryDim: number; // elements that turn; the rest passes
  readonly interleaved: boolean; // pairs (2i, 2i + 1) as GPT-J; else (i, i + rotaryDim / 2) as Llama
  readonly frequencies: Float64Array; // [rotaryDim / 2], radians a position
  readonly attentionScale: number; // yarn's factor on cosine and sine
  #tables: { cos: Tensor; sin: Tensor; rows: number } | null = null;

  constructor(options: RotaryOptions & { interleaved?: boolean }) {
    const { frequencies, attentionScale } = rotaryFrequencies(options);
    this.headDim = options.headDim;
    this.rotaryDim = frequencies.length * 2;
    this.interleaved = options.interleaved ?? false;
    this.frequencies = frequencies;
    this.attentionScale = attentionScale;
  }

  /**
   * Turns `x` to the given positions.
   *
   * @param x - `[B, T, H, D]`, or `[B, H, T, D]` with `layout: 'bhtd'`
   * @param positions - int32 `[B, T]`
   * @param options.maxPosition - the largest position; tables are grown to hold it
   * @throws ShapeError if the shapes do not fit
   */
  apply(
    x: Tensor,
    positions: Tensor,
    { layout = 'bthd', maxPosition }: { layout?: HeadLayout; maxPosition: number },
  ): Tensor {
    const wide = widen(x, 'rotary');
    checkRotary(wide, positions, this.headDim, layout);
    const { cos, sin, rows } = this.tables(maxPosition + 1);
    const rotate = (input: Tensor, inverse: boolean): Tensor => {
      const y = Tensor.allocate(input.shape, 'float32', commonDevice('rotary', input, positions, cos));
      const at = positions.storage.buffer;
      input.device.kernels.rope({
        x: input.storage.buffer,
        y: y.storage.buffer,
        positions: at,
        cos: cos.storage.buffer,
        sin: sin.storage.buffer,
        ...sizesOf(input, layout),
        rotaryDim: this.rotaryDim,
        interleaved: this.interleaved,
        inverse,
        tableRows: rows,
      });
      return y;
    };
    // The positions are saved so that their memory lives until the backward pass.
    return record('rotary', [wide], rotate(wide, false), [positions, cos, sin], (g) => [rotate(g, true)]);
  }

  /** Cosine and sine, `[rows, rotaryDim / 2]` each, for at least `rows` positions. */
  tables(rows: number): { cos: Tensor; sin: Tensor; rows: number } {
    if (this.#tables && this.#tables.rows >= rows) return this.#tables;
    const grown = Math.max(rows, 2 * (this.#tables?.rows ?? 32));
    const half = this.frequencies.length;
    const cos = new Float32Array(grown * half);
    const sin = new Float32Array(grown * half);
    for (let p = 0; p < grown; p++) {
      for (let i = 0; i < half; i++) {
        const angle = p * this.frequencies[i]!;
        cos[p * half + i] = Math.cos(angle) * this.attentionScale;
        sin[p * half + i] = Math.sin(angle) * this.attentionScale;
      }
    }
    this.dispose();
    this.#tables = { cos: buffer(tensor(cos, [grown, half])), sin: buffer(tensor(sin, [grown, half])), rows: grown };
    return this.#tables;
  }

  /** Frees the tables; they are built again when needed. */
  dispose(): void {
    this.#tables?.cos.dispose();
    this.#tables?.sin.dispose();
    this.#tables = null;
  }
}

function sizesOf(x: Tensor, layout: HeadLayout) {
  const [batch, second, third, headDim] = x.shape as [number, number, number, number];
  const [tokens, heads] = layout === 'bthd' ? [second, third] : [third, second];
  const strides =
    layout === 'bthd'
      ? { batch: tokens * heads * headDim, head: headDim, token: heads * headDim }
      : { batch: tokens * heads * headDim, head: tokens * headDim, token: headDim };
  return { batch, heads, tokens, headDim, strides };
}

function checkRotary(x: Tensor, positions: Tensor, headDim: number, layout: HeadLayout): void {
  const axes = layout === 'bthd' ? '[B, T, H, D]' : '[B, H, T, D]';
  if (x.shape.length !== 4 || x.shape[3] !== headDim) {
    throw new ShapeError(`rotary: x must be ${axes} with D = ${headDim}, got [${x.shape}]`);
  }
  const { batch, tokens } = sizesOf(x, layout);
  if (positions.dtype !== 'int32') throw new DtypeError(`rotary: positions must be int32, got ${positions.dtype}`);
  if (positions.shape.length !== 2 || positions.shape[0] !== batch || positions.shape[1] !== tokens) {
    throw new ShapeError(`rotary: positions must be [B, T]: expected [${batch},${tokens}], got [${positions.shape}]`);
  }
}
