import type { KeyValueCache } from '@burin/attention';
import { checkIds, checkLabels } from '@burin/nn';
import {
  checkChoice,
  checkOptions,
  type Device,
  DtypeError,
  isTensor,
  ShapeError,
  type Tensor,
  tensor,
} from '@burin/tensor';

/** Where each token stands in its text. */
export interface Positions {
  ids: Tensor; // [B, T] int32
  max: number; // the largest of them, for tables that the host builds
}

/** What a model reads. B rows of T tokens; S keys: T, or with a cache what it holds too. */
export interface ModelInput {
  /** int32 `[B, T]`, in the vocabulary: see `tokenBatch`, which checks. */
  inputIds: Tensor;
  /** uint8 `[B, S]`: 1 is a real token, 0 padding. Left out: no padding. */
  attentionMask?: Tensor | null;
  /** Left out: 0 .. T − 1, after what the cache holds. Needed where padding is on the left. */
  positions?: Positions | null;
  /** int32 `[B, T]`: packed texts by number; a token sees its own text only. */
  segments?: Tensor | null;
  /** One cache a layer: keys and values of earlier tokens are read from it and these added. */
  cache?: readonly KeyValueCache[] | null;
  /** Return the states between layers too. */
  outputHiddenStates?: boolean;
}

/** What a model with a head returns. */
export interface ModelOutput {
  logits: Tensor;
  /** A scalar, where labels were given. */
  loss: Tensor | null;
  /** `[B, T, C]` each: the embeddings, and what came out of each layer (the last after the final norm, if any). */
  hiddenStates: Tensor[] | null;
}

/** How a loss over tokens becomes one number. */
export interface LossInput {
  /** int32; −100 has no loss. */
  labels?: Tensor | null;
  /** Divide the summed loss by this instead of by the number of labels that count: for exact accumulation. */
  numItemsInBatch?: number | null;
}

/**
 * Checks the tensors of an input against each other; returns B and T.
 *
 * @throws ShapeError or DtypeError that names the one that does not fit; `who` is put before it
 */
export function checkInput(who: string, input: Omit<ModelInput, 'cache'>): [batch: number, tokens: number] {
  const { inputIds, attentionMask, positions, segments } = input;
  if (inputIds?.dtype !== 'int32') {
    const got = isTensor(inputIds) ? inputIds.dtype : typeof inputIds; // without types, ids as they are, or input_ids
    throw new DtypeError(
      `${who}: inputIds must be int32, got ${got}; tokenBatch(rows, { vocabSize }) makes them of ids`,
    );
  }
  if (inputIds.shape.length !== 2) throw new ShapeError(`${who}: inputIds must be [B, T], got [${inputIds.shape}]`);
  const [batch, tokens] = inputIds.shape as [number, number];
  if (attentionMask && (attentionMask.shape.length !== 2 || attentionMask.shape[0] !== batch)) {
    throw new ShapeError(`${who}: attentionMask must be [B, S] with B = ${batch}, got [${attentionMask.shape}]`);
  }
  if (attentionMask && attentionMask.dtype !== 'uint8') {
    throw new DtypeError(
      `${who}: attentionMask must be uint8, got ${attentionMask.dtype}; convert it with .to('uint8')`,
    );
  }
  for (const [name, each] of [
    ['positions.ids', positions?.ids],
    ['segments', segments],
  ] as const) {
    if (!each || `${each.shape}` === `${inputIds.shape}`) continue;
    throw new ShapeError(`${who}: ${name} must be [B, T]: expected [${inputIds.shape}], got [${each.shape}]`);
  }
  return [batch, tokens];
}

/** Positions `start .. start + T − 1` in every row, int32 `[batch, tokens]`. */
export function positionsFrom(start: number, batch: number, tokens: number, device?: Device): Positions {
  const ids = Int32Array.from({ length: batch * tokens }, (_, i) => start + (i % tokens));
  return { ids: tensor(ids, [batch, tokens], device ? { device } : {}), max: start + tokens - 1 };
}

/** How rows become a batch. */
export interface TokenBatchOptions {
  /** Rows are filled up with this id. Default 0. */
  padTokenId?: number;
  /** `'left'` for generation, `'right'` for training (default). */
  paddingSide?: 'left' | 'right';
  /** Ids must be below this. */
  vocabSize: number;
  /**
   * Make `labels` too, for a language model: the ids, and −100 at padding and at a first token after it, which nothing
   * predicts. Default false.
   */
  labels?: boolean;
}

/** Rows of ids as tensors: padded, with the mask that says so and positions that count real tokens. */
export interface TokenBatch {
  inputIds: Tensor; // [B, T] int32
  attentionMask: Tensor; // [B, T] uint8
  positions: Positions;
  labels: Tensor | null; // [B, T] int32
}

/** Refuses a text, or one row where several are expected: what a program without types gives. */
export function checkRows(rows: readonly (readonly number[])[], who: string): void {
  if (Array.isArray(rows) && rows.every((row) => typeof row === 'object')) return;
  const got = Array.isArray(rows) ? `a list of ${typeof rows[0]}` : typeof rows;
  throw new TypeError(`${who}: expected rows of token ids, such as [tokenizer.encode(text)], got ${got}`);
}

/**
 * Pads rows of token ids to one length. Mask, positions and labels come from the places, never from the ids: a padding id
 * that is also the end token does no harm.
 *
 * @throws RangeError if there is no row, a row is empty, or an id is not in the vocabulary; for another `paddingSide`, or an
 *   option that there is not
 */
export function tokenBatch(rows: readonly (readonly number[])[], options: TokenBatchOptions): TokenBatch {
  checkOptions('tokenBatch', options, ['padTokenId', 'paddingSide', 'vocabSize', 'labels']);
  const { padTokenId = 0, paddingSide = 'right', vocabSize } = options;
  checkChoice('tokenBatch', 'paddingSide', paddingSide, ['left', 'right']);
  checkRows(rows, 'tokenBatch');
  if (rows.length === 0) throw new RangeError('tokenBatch: at least one row of ids is expected, got none');
  const longest = Math.max(...rows.map((row) => row.length));
  const ids = new Int32Array(rows.length * longest).fill(padTokenId);
  const mask = new Uint8Array(ids.length);
  const positions = new Int32Array(ids.length);
  const labels = new Int32Array(ids.length).fill(-100);
  for (const [r, row] of rows.entries()) {
    if (row.length === 0) throw new RangeError(`tokenBatch: row ${r} is empty; a row needs one id at least`);
    checkIds(row, vocabSize, `tokenBatch: row ${r}`);
    const start = r * longest + (paddingSide === 'left' ? longest - row.length : 0);
    ids.set(row, start);
    labels.set(row, start);
    if (start > r * longest) labels[start] = -100;
    mask.fill(1, start, start + row.length);
    for (let i = 0; i < row.length; i++) positions[start + i] = i;
  }
  const shape = [rows.length, longest];
  return {
    inputIds: tensor(ids, shape),
    attentionMask: tensor(mask, shape),
    positions: { ids: tensor(positions, shape), max: longest - 1 },
    labels: options.labels ? tensor(labels, shape) : null,
  };
}

/**
 * Labels as an int32 tensor.
 *
 * @throws RangeError that names the first one that is neither 0 .. classes − 1 nor −100
 */
export function labelTensor(labels: readonly number[], classes: number): Tensor {
  checkLabels(labels, classes, 'labelTensor');
  return tensor(Int32Array.from(labels));
}
