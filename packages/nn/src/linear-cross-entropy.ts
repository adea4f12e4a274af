import {
  BYTES,
  checkInt32,
  commonDevice,
  type Device,
  isFloating,
  isGradEnabled,
  record,
  ShapeError,
  scope,
  Tensor,
  widen,
} from '@burin/tensor';
import { checkIgnoreIndex, countedWeight } from './cross-entropy.js';
import { checkLossOptions, type Reduction } from './reduction.js';

/** What {@link linearCrossEntropy} takes besides. */
export interface LinearCrossEntropyOptions {
  /** float32 `[V]`, added to the logits. Default null: none. */
  bias?: Tensor | null;
  /** Rows with this label have no loss and do not count in the mean. Default −100. */
  ignoreIndex?: number;
  /** Default 'mean'. */
  reduction?: Exclude<Reduction, 'none'>;
  /** Rows whose logits are held at once. Default: as many as fit 4 MiB, 64 at least. */
  blockRows?: number;
}

/** Bytes of a block of logits. Fewer rows pack the weight more often: at V = 4096, 32 rows took 1.8 times as long as 256. */
const BLOCK_BYTES = 2 ** 22;
/** The fewest rows of a block, however large the vocabulary. */
const LEAST_ROWS = 64;
const OPTIONS = ['bias', 'ignoreIndex', 'reduction', 'blockRows'];

/**
 * `crossEntropy(linear(x, weight, bias), labels)` without ever holding the logits: block by block of rows, each block's
 * gradient taken in place while it is in the cache. Memory for `[..., V]` is not needed.
 *
 * The gradients of x, weight and bias are computed in the forward pass, where one is wanted, and scaled in the backward pass.
 *
 * @param x - `[..., C]`, floating-point
 * @param weight - `[V, C]`, floating-point
 * @param labels - int32 `[...]`, each 0 .. V − 1 or `ignoreIndex`: see `crossEntropy`
 * @returns a float32 scalar; the mean over no label at all is NaN, and its gradients are zeros
 * @throws ShapeError or DtypeError if operands do not fit each other; RangeError if `ignoreIndex` is not an int32, `blockRows`
 *   not a whole number of 1 or more, or for an option or a reduction that there is not
 */
export function linearCrossEntropy(
  x: Tensor,
  weight: Tensor,
  labels: Tensor,
  options: LinearCrossEntropyOptions = {},
): Tensor {
  checkSettings(options);
  const { bias = null, ignoreIndex = -100, reduction = 'mean', blockRows } = options;
  return scope(() => {
    const wide = widen(x, 'linearCrossEntropy');
    const wideBias = bias && widen(bias, 'linearCrossEntropy');
    checkOperands(wide, weight, wideBias, labels);
    const rows = blockRows ?? Math.max(LEAST_ROWS, Math.floor(BLOCK_BYTES / (4 * weight.shape[0]!)));
    const total = new BlockedLoss(wide, weight, wideBias, labels, ignoreIndex, rows).run();
    if (reduction === 'sum') return total;
    return meanOf(total, countedWeight(labels, { classWeight: null, ignoreIndex, labelSmoothing: 0 }));
  });
}

/** `total / count`. Where nothing counts it is NaN, but its gradient 0: NaN times the zeros computed would be NaN. */
function meanOf(total: Tensor, count: Tensor): Tensor {
  const nothing = count.div(count).sub(1); // 0, or NaN for 0 / 0
  return total.div(count.clampMin(1)).add(nothing);
}

function checkSettings(options: LinearCrossEntropyOptions): void {
  const { ignoreIndex = -100, blockRows = 1 } = options;
  checkLossOptions('linearCrossEntropy', options, OPTIONS, ['mean', 'sum']);
  checkIgnoreIndex('linearCrossEntropy', ignoreIndex);
  if (Number.isInteger(blockRows) && blockRows >= 1) return;
  throw new RangeError(`linearCrossEntropy: blockRows must be a whole number of 1 or more, got ${blockRows}`);
}

function checkOperands(x: Tensor, weight: Tensor, bias: Tensor | null, labels: Tensor): void {
  const lead = x.shape.slice(0, -1);
  checkInt32('linearCrossEntropy: labels', labels);
  if (!isFloating(weight.dtype)) widen(weight, 'linearCrossEntropy'); // throws, and says how to convert
  if (weight.shape.length !== 2 || weight.shape[1] !== x.shape.at(-1)) {
    throw new ShapeError(
      `linearCrossEntropy: weight must be [V, C] with the C of x: expected [V, ${x.shape.at(-1)}], got [${weight.shape}]`,
    );
  }
  if (bias && `${bias.shape}` !== `${weight.shape[0]}`) {
    throw new ShapeError(
      `linearCrossEntropy: bias must have a number for each row of weight: expected [${weight.shape[0]}], ` +
        `got [${bias.shape}]`,
    );
  }
  if (`${lead}` !== `${labels.shape}`) {
    throw new ShapeError(
      `linearCrossEntropy: labels must have the shape of x without the last axis: expected [${lead}], got [${labels.shape}]`,
    );
  }
}

/** One pass over the rows. Buffers of one block serve all blocks. */
class BlockedLoss {
  private readonly device: Device;
  private readonly rows: number; // N, of x
  private readonly width: number; // C
  private readonly classes: number; // V
  private readonly wantsX: boolean;
  private readonly wantsWeight: boolean;
  private readonly wantsBias: boolean;
  private readonly x: Tensor;
  private readonly weight: Tensor;
  private readonly bias: Tensor | null;
  private readonly labels: Tensor;
  private readonly ignoreIndex: number;
  private readonly blockRows: number;

  constructor(x: Tensor, weight: Tensor, bias: Tensor | null, labels: Tensor, ignoreIndex: number, blockRows: number) {
    this.device = commonDevice('linearCrossEntropy', x, weight, bias, labels);
    [this.classes, this.width] = weight.shape as [number, number];
    this.rows = labels.size;
    this.wantsX = isGradEnabled() && x.requiresGrad;
    this.wantsWeight = isGradEnabled() && weight.requiresGrad;
    this.wantsBias = isGradEnabled() && bias?.requiresGrad === true;
    this.x = x;
    this.weight = weight;
    this.bias = bias;
    this.labels = labels;
    this.ignoreIndex = ignoreIndex;
    this.blockRows = Math.max(1, Math.min(blockRows, this.rows));
  }

  /** The sum of all losses, recorded. */
  run(): Tensor {
    const { x, weight, bias, device } = this;
    const allocate = (...shape: number[]) => Tensor.allocate(shape, 'float32', device);
    const losses = allocate(this.rows);
    const dx = this.wantsX ? Tensor.allocate(x.shape, 'float32', device) : null;
    const dweight = this.wantsWeight ? Tensor.allocate(weight.shape, 'float32', device).fill_(0) : null;
    const dbias = this.wantsBias ? Tensor.allocate(bias!.shape, 'float32', device).fill_(0) : null;
    const block: Block = {
      x: allocate(this.blockRows, this.width),
      labels: Tensor.allocate([this.blockRows], 'int32', device),
      logits: allocate(this.blockRows, this.classes),
      loss: allocate(this.blockRows),
      lse: allocate(this.blockRows),
      ones: allocate(this.blockRows).fill_(1),
      dx: allocate(this.blockRows, this.width),
    };
    const gradients: Gradients = { dx, dweight, dbias };
    for (let start = 0; start < this.rows; start += this.blockRows) this.step(block, start, losses, gradients);
    const computed = [dx, dweight, dbias];
    const saved = computed.filter((gradient) => gradient !== null);
    const inputs = bias ? [x, weight, bias] : [x, weight];
    return record('linearCrossEntropy', inputs, losses.sum(), saved, (g, { saved, into }) => {
      const kept = saved.values();
      return inputs.map((_, i) => (computed[i] ? scaledInto(kept.next().value!, g, into(i)) : null));
    });
  }

  private step(block: Block, start: number, losses: Tensor, { dx, dweight, dbias }: Gradients): void {
    const { kernels } = this.device;
    const count = Math.min(this.blockRows, this.rows - start);
    const bytes = BYTES.float32 * this.width;
    kernels.copy(this.x.storage.buffer, start * bytes, block.x.storage.buffer, 0, count * bytes);
    kernels.copy(this.labels.storage.buffer, 4 * start, block.labels.storage.buffer, 0, 4 * count);
    this.product(block.x, this.weight, block.logits, {
      ...{ m: count, n: this.classes, k: this.width, transposeB: true, bias: this.bias },
    });
    const [logits, labels, lse] = [block.logits.storage.buffer, block.labels.storage.buffer, block.lse.storage.buffer];
    const { classes, ignoreIndex } = this;
    kernels.crossEntropy(logits, labels, null, block.loss.storage.buffer, lse, count, classes, ignoreIndex, 0);
    kernels.copy(block.loss.storage.buffer, 0, losses.storage.buffer, 4 * start, 4 * count);
    if (!dx && !dweight && !dbias) return;
    const ones = block.ones.storage.buffer;
    kernels.crossEntropyBackward(logits, labels, null, lse, ones, logits, count, classes, ignoreIndex, 0); // in place
    if (dx) {
      this.product(block.logits, this.weight, block.dx, { m: count, n: this.width, k: classes });
      kernels.copy(block.dx.storage.buffer, 0, dx.storage.buffer, start * bytes, count * bytes);
    }
    if (dweight) {
      const shape = { m: classes, n: this.width, k: count, transposeA: true, accumulate: true };
      this.product(block.logits, block.x, dweight, shape);
    }
    if (dbias) {
      const shape = { m: 1, n: this.classes, k: count, accumulate: true };
      this.product(block.ones, block.logits, dbias, shape); // the sum over rows
    }
  }

  private product(a: Tensor, b: Tensor, y: Tensor, shape: ProductShape): void {
    this.device.kernels.matmul({
      ...{ transposeA: false, transposeB: false, accumulate: false },
      ...shape,
      ...{ a: a.storage.buffer, b: b.storage.buffer, y: y.storage.buffer, bDtype: b.dtype as 'float32' },
      ...{ bias: shape.bias?.storage.buffer ?? null, batch: 1, aStride: 0, bStride: 0, alpha: 1 },
    });
  }
}

interface ProductShape {
  m: number;
  n: number;
  k: number;
  transposeA?: boolean;
  transposeB?: boolean;
  accumulate?: boolean;
  bias?: Tensor | null;
}

/** What is summed over the blocks, where it is wanted. */
interface Gradients {
  dx: Tensor | null;
  dweight: Tensor | null;
  dbias: Tensor | null;
}

/** What one block of rows needs. */
interface Block {
  x: Tensor; // [R, C]
  labels: Tensor; // [R]
  logits: Tensor; // [R, V]; then their gradient
  loss: Tensor; // [R]
  lse: Tensor; // [R]
  ones: Tensor; // [R]
  dx: Tensor; // [R, C]
}

/** `gradient · g`, added to what is there. */
function scaledInto(gradient: Tensor, g: Tensor, into: Tensor | null): Tensor {
  const scaled = gradient.mul(g);
  return into ? into.add_(scaled) : scaled;
}
