import { AdamW } from '@burin/optim-paged';
import { linear4bit, quantize4bit } from '@burin/quant-nf4';
import {
  add,
  backward,
  gelu,
  linear,
  matmul,
  noGrad,
  setDefaultDevice,
  softmax,
  type Tensor,
  tensor,
} from '@burin/tensor';
import { type BackendName, type GpuDevice, gpu } from '@burin/tensor/gpu';
import { llama, SMALL, tokens } from './cases/llama.js';
import { type Budget, measure, type Timing } from './measure.js';
import { type BenchRecord, rates, rounded } from './record.js';

/** Renderers that compute on the processor: what is measured there is made smaller, and says nothing about a GPU. */
const SOFTWARE = /swiftshader|llvmpipe|software|ANGLE/i;

/** Runs on a GPU are measured for longer: its clock has to come up. */
const BUDGET: Budget = { milliseconds: 1000, runs: 5 };

/** How large the cases are. */
interface Sizes {
  readonly products: readonly (readonly [m: number, k: number, n: number])[];
  readonly weights: readonly (readonly [out: number, inner: number])[]; // for one row, as in decoding
  readonly elements: number;
  readonly rows: readonly [rows: number, cols: number];
  readonly batch: readonly [sequences: number, tokens: number];
}

const FULL: Sizes = {
  products: [
    [512, 512, 512],
    [1024, 1024, 1024],
    [2048, 2048, 2048],
    [4096, 4096, 4096],
    [1024, 512, 8],
  ],
  weights: [
    [4096, 4096],
    [16, 4096],
  ],
  elements: 1 << 24,
  rows: [4096, 512],
  batch: [8, 128],
};

const REDUCED: Sizes = {
  products: [
    [256, 256, 256],
    [512, 512, 512],
    [512, 256, 8],
  ],
  weights: [
    [1024, 1024],
    [16, 1024],
  ],
  elements: 1 << 20,
  rows: [512, 512],
  batch: [1, 64],
};

/** `pnpm bench gpu`: compile time, launch overhead, products, elementwise and a training step, on one backend. */
export async function benchGpu(backend: string | null, report: (record: BenchRecord) => Promise<void>): Promise<void> {
  const begin = performance.now();
  const device = await gpu(backend === null ? {} : { backend: backend as BackendName });
  const opened = performance.now() - begin;
  setDefaultDevice(device);
  const engine = device.describe();
  const sizes = SOFTWARE.test(engine) ? REDUCED : FULL;
  const record = (name: string, shape: string, timing: Timing, more: Partial<BenchRecord> = {}) =>
    report({
      ...{ name: `gpu/${name}`, shape, engine, threads: 1, ms: rounded(timing.median) },
      ...{ msBest: rounded(timing.best), msCpu: rounded(timing.cpu), ...more },
    });

  await record('open', 'gpu.js loaded, device opened, self-test', once(opened));
  await record('compile', 'mean of a kernel', await compileTime(device));
  const launches = 500;
  const launching = await measure(() => manyLaunches(launches), BUDGET);
  await record('launch', `${launches} of 4 elements`, launching, rates({ operations: launches }, launching, null));
  for (const [m, k, n] of sizes.products) {
    const timing = await timeOf(() => matmul(a(m, k), a(k, n)));
    await record('product', `${m}x${k}x${n}`, timing, rates({ flops: 2 * m * n * k }, timing, null));
  }
  for (const weight of sizes.weights) await benchVector(weight, record);
  await benchElementwise(sizes, record);
  const [sequences, length] = sizes.batch;
  const step = await trainStep(sequences, length);
  await record('train-step/full', `${sequences}x${length}`, step, rates({ tokens: sequences * length }, step, null));
  device.dispose();
}

type Record = (name: string, shape: string, timing: Timing, more?: Partial<BenchRecord>) => Promise<void>;

/** Bytes of an NF4 weight in GPU memory, an element: six codes in a float, and a scale for 64. */
const NF4_BYTES = 4 / 6 + 4 / 64;

/** One row times a weight, in float32 and in NF4. */
async function benchVector([out, inner]: readonly [number, number], record: Record): Promise<void> {
  const [x, weight] = [a(1, inner), a(out, inner)];
  const quantized = await quantize4bit(weight);
  const cases: [name: string, body: () => Tensor, bytes: number][] = [
    ['vector', () => noGrad(() => linear(x, weight)), 4],
    ['vector-nf4', () => noGrad(() => linear4bit(x, quantized)), NF4_BYTES],
  ];
  for (const [name, body, bytes] of cases) {
    const timing = await timeOf(body);
    await record(name, `1x${inner}x${out}`, timing, rates({ bytes: bytes * out * inner }, timing, null));
  }
  for (const made of [weight, ...quantized.tensors]) made.dispose();
}

async function benchElementwise({ elements, rows: [rows, cols] }: Sizes, record: Record): Promise<void> {
  const [x, y] = [a(elements, 1), a(elements, 1)];
  const matrix = a(rows, cols);
  const cases: [name: string, body: () => Tensor, bytes: number, shape: string][] = [
    ['add', () => add(x, y), 12 * elements, `${elements}`],
    ['gelu', () => gelu(x), 8 * elements, `${elements}`],
    ['sum', () => x.sum(), 4 * elements, `${elements}`],
    ['softmax', () => softmax(matrix), 8 * rows * cols, `${rows}x${cols}`],
  ];
  for (const [name, body, bytes, shape] of cases) {
    const timing = await timeOf(body);
    await record(name, shape, timing, rates({ bytes }, timing, null));
  }
  for (const made of [x, y, matrix]) made.dispose();
}

/** Inputs by size, made once: the operation alone is timed. */
const inputs = new Map<string, Tensor>();

function a(rows: number, cols: number): Tensor {
  const key = `${rows}x${cols}`;
  const known = inputs.get(key);
  if (known && !known.isDisposed) return known;
  const values = Float32Array.from({ length: rows * cols }, (_, i) => ((i * 7) % 13) / 13 - 0.5);
  const made = tensor(values, [rows, cols]);
  inputs.set(key, made);
  return made;
}

/** Several at once and one wait, since waiting costs more than many an operation. */
async function timeOf(body: () => Tensor): Promise<Timing> {
  const turns = 8;
  const timing = await measure(async () => {
    const results = Array.from({ length: turns }, body);
    await firstElement(results.at(-1)!);
    for (const result of results) result.dispose();
  }, BUDGET);
  return { ...timing, median: timing.median / turns, best: timing.best / turns, cpu: timing.cpu / turns };
}

/** Waits until a result is there, without fetching all of it. */
async function firstElement(result: Tensor): Promise<void> {
  await result.device.read(result.storage.buffer, 0, 4);
}

async function manyLaunches(count: number): Promise<void> {
  const x = tensor([1, 2, 3, 4]);
  for (let i = 0; i < count; i++) x.mul_(0.5);
  await firstElement(x);
  x.dispose();
}

/** Kernels that nothing has needed yet: the time of their first run, waited for. */
async function compileTime(device: GpuDevice): Promise<Timing> {
  const x = tensor([0.1, 0.2, 0.3, 0.4]);
  const before = device.compiledKernels;
  const begin = performance.now();
  const results = [x.exp(), x.log(), x.tanh(), x.erf(), x.sin(), x.sigmoid(), x.sqrt(), x.square()];
  for (const result of results) await result.data();
  const spent = performance.now() - begin;
  for (const made of [x, ...results]) made.dispose();
  return once(spent / (device.compiledKernels - before));
}

function once(milliseconds: number): Timing {
  return { median: milliseconds, best: milliseconds, cpu: 0, runs: 1 };
}

/** The full training step of `train-step`: forward, backward, AdamW, and the loss read back. */
async function trainStep(sequences: number, length: number): Promise<Timing> {
  const model = llama(SMALL);
  const optimizer = new AdamW(model.parameters(), { lr: 1e-3 });
  const inputIds = tensor(tokens(sequences * length), [sequences, length]);
  const timing = await measure(async () => {
    const loss = model.loss({ inputIds, labels: inputIds });
    backward(loss);
    await optimizer.step();
    optimizer.zeroGrad();
    await loss.item();
    loss.dispose();
  }, BUDGET);
  optimizer.dispose();
  inputIds.dispose();
  model.dispose();
  return timing;
}
