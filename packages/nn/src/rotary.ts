import {
  checkInt32,
  checkOptions,
  commonDevice,
  record,
  ShapeError,
  scope,
  Tensor,
  tensor,
  widen,
} from '@burin/tensor';
import { hostPositions } from './host-positions.js';
import { buffer } from './module.js';
import { type RotaryOptions, type RotaryScaling, rotaryFrequencies, stretchOf } from './rotary-frequencies.js';

/** Which axis counts tokens: `[B, H, T, D]` or `[B, T, H, D]`. */
export type HeadLayout = 'bhtd' | 'bthd';

interface RotaryTables {
  cos: Tensor; // [rows, rotaryDim / 2] float32
  sin: Tensor;
  rows: number;
  stretch: number; // of which lengths of text they are
}

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
  readonly frequencies: Float64Array; // [rotaryDim / 2], radians a position, of a short text
  readonly attentionScale: number; // yarn's and longrope's factor on cosine and sine
  readonly scaling: RotaryScaling | null;
  readonly #options: RotaryOptions;
  #tables: RotaryTables | null = null;

  /** @throws RangeError if a size or factor is out of range, see {@link rotaryFrequencies}, or an option does not exist */
  constructor(options: RotaryOptions & { interleaved?: boolean }) {
    checkOptions('RotaryEmbedding', options, ['headDim', 'rotaryDim', 'theta', 'scaling', 'interleaved']);
    const { frequencies, attentionScale } = rotaryFrequencies(options);
    this.headDim = options.headDim;
    this.rotaryDim = frequencies.length * 2;
    this.interleaved = options.interleaved ?? false;
    this.frequencies = frequencies;
    this.attentionScale = attentionScale;
    this.scaling = options.scaling ?? null;
    this.#options = options;
  }

  /**
   * Turns `x` to the given positions.
   *
   * @param x - `[B, T, H, D]`, or `[B, H, T, D]` with `layout: 'bhtd'`; floating
   * @param positions - int32 `[B, T]`, none negative
   * @param options.maxPosition - the largest position: the host, which builds the tables, cannot see it in `positions`.
   *   The text is taken to be that long, where the frequencies depend on it (dynamic, longrope)
   * @returns float32, the shape of `x`
   * @throws ShapeError if the shapes do not fit; DtypeError if positions are not int32; RangeError if `maxPosition` is not
   *   a whole number of 0 or more, or a position that the host can see (cpu) is not from 0 to it
   */
  apply(
    x: Tensor,
    positions: Tensor,
    { layout = 'bthd', maxPosition }: { layout?: HeadLayout; maxPosition: number },
  ): Tensor {
    return scope(() => {
      const wide = widen(x, 'RotaryEmbedding');
      checkOperands(wide, positions, this.headDim, layout, maxPosition);
      const tables = this.tables(maxPosition + 1);
      const turn = (input: Tensor, inverse: boolean) => this.turn(input, positions, tables, layout, inverse);
      // saved for their memory alone, which must live until the backward pass has turned the gradient back
      return record('rotary', [wide], turn(wide, false), [positions, tables.cos, tables.sin], (g) => [turn(g, true)]);
    });
  }

  private turn(x: Tensor, positions: Tensor, tables: RotaryTables, layout: HeadLayout, inverse: boolean): Tensor {
    const { cos, sin, rows } = tables;
    const { batch, heads, tokens, headDim, strides } = sizesOf(x, layout);
    const device = commonDevice('RotaryEmbedding', x, positions, cos);
    const y = Tensor.allocate(x.shape, 'float32', device);
    device.kernels.rope({
      x: x.storage.buffer,
      y: y.storage.buffer,
      positions: positions.storage.buffer,
      cos: cos.storage.buffer,
      sin: sin.storage.buffer,
      strides,
      batch,
      heads,
      tokens,
      headDim,
      rotaryDim: this.rotaryDim,
      interleaved: this.interleaved,
      inverse,
      tableRows: rows,
    });
    return y;
  }

  /**
   * Cosine and sine, `[rows, rotaryDim / 2]` each, for at least `rows` positions of a text of so many tokens; angles in
   * float64. This object's own.
   */
  tables(rows: number): RotaryTables {
    const stretch = stretchOf(this.scaling, rows);
    const before = this.#tables?.stretch === stretch ? this.#tables : null;
    if (before && before.rows >= rows) return before;
    const grown = Math.max(rows, 2 * (before?.rows ?? 32));
    const { frequencies } = stretch ? rotaryFrequencies(this.#options, rows) : this;
    const half = frequencies.length;
    const cos = new Float32Array(grown * half);
    const sin = new Float32Array(grown * half);
    for (let p = 0; p < grown; p++) {
      for (let i = 0; i < half; i++) {
        const angle = p * frequencies[i]!;
        cos[p * half + i] = Math.cos(angle) * this.attentionScale;
        sin[p * half + i] = Math.sin(angle) * this.attentionScale;
      }
    }
    this.dispose();
    const [cosine, sine] = [buffer(tensor(cos, [grown, half])), buffer(tensor(sin, [grown, half]))];
    this.#tables = { cos: cosine, sin: sine, rows: grown, stretch };
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

function checkOperands(x: Tensor, positions: Tensor, headDim: number, layout: HeadLayout, maxPosition: number): void {
  const axes = layout === 'bthd' ? '[B, T, H, D]' : '[B, H, T, D]';
  if (x.shape.length !== 4 || x.shape[3] !== headDim) {
    throw new ShapeError(`RotaryEmbedding: x must be ${axes}: expected D = ${headDim}, got [${x.shape}]`);
  }
  const { batch, tokens } = sizesOf(x, layout);
  checkInt32('RotaryEmbedding: positions', positions);
  if (`${positions.shape}` !== `${[batch, tokens]}`) {
    throw new ShapeError(
      `RotaryEmbedding: positions must be [B, T]: expected [${batch},${tokens}], got [${positions.shape}] ` +
        `(x is [${x.shape}])`,
    );
  }
  if (!Number.isInteger(maxPosition) || maxPosition < 0) {
    throw new RangeError(`RotaryEmbedding: maxPosition must be a whole number of 0 or more, got ${maxPosition}`);
  }
  checkRange(positions, maxPosition);
}

/** Where the host can see positions (cpu): one without a row in the tables would be turned by whatever lies beside them. */
function checkRange(positions: Tensor, maxPosition: number): void {
  const outside = hostPositions(positions)?.find((at) => at < 0 || at > maxPosition);
  if (outside === undefined) return;
  throw new RangeError(`RotaryEmbedding: positions must be from 0 to maxPosition, ${maxPosition}, got ${outside}`);
}
