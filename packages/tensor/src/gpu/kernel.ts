/** How a scalar argument reaches a kernel: a 32-bit integer, or a float32. */
export type ScalarType = 'Integer' | 'Float';

/** A function that kernels call, in gpu.js's subset of JavaScript. It sees scalars only. */
export interface GpuFunction {
  readonly name: string;
  readonly source: string; // function name(a, b) { ... }
  readonly argumentTypes: Readonly<Record<string, ScalarType>>;
  readonly returnType: ScalarType;
  readonly calls: readonly GpuFunction[];
  /** The same in WGSL, where bits can be had that gpu.js has no word for; `fn_NAME` with arguments `user_ARGUMENT`. */
  readonly wgsl?: string;
}

/**
 * A kernel in gpu.js's subset of JavaScript: `body` computes what thread (x, y, z) writes, which is element
 * `x + X · (y + Y · z)` of the output (elements `4 · that …` where `width` is 4 and it returns an array of four).
 *
 * Its text is a string, since a function's own text does not survive minifiers. What to keep in mind (gpu.js 2.24): a
 * variable that is given an integer expression becomes a float, exact to 2^24 only, so index by `this.thread`, integer
 * arguments, loop counters and their products written in place, or by `x[z][y][x]` with the lengths given at the launch;
 * `/` and `%` are float operations; no `continue`; `Infinity` means the largest float.
 */
export interface GpuKernel {
  readonly name: string; // one program each: no two kernels share it
  readonly inputs: readonly string[];
  readonly scalars: Readonly<Record<string, ScalarType>>;
  readonly body: string;
  readonly functions: readonly GpuFunction[];
  readonly width: 1 | 4;
  /** Inputs that GL reads four elements at a time: `x[y][q]` is an array of four, lengths count fours. Not on WebGPU. */
  readonly vectors: readonly string[];
}

export interface GpuKernelOptions {
  readonly functions?: readonly GpuFunction[];
  readonly width?: 1 | 4;
  readonly vectors?: readonly string[];
}

export function gpuKernel(
  name: string,
  inputs: readonly string[],
  scalars: Readonly<Record<string, ScalarType>>,
  body: string,
  { functions = [], width = 1, vectors = [] }: GpuKernelOptions = {},
): GpuKernel {
  return { name, inputs, scalars, body, functions: withCalls(functions), width, vectors };
}

/** Writes each kernel of a family once: `family((op: UnaryOp) => gpuKernel(...))`. */
export function family<Kernel extends GpuKernel | WgslKernel, Keys extends readonly (string | number | boolean)[]>(
  make: (...keys: Keys) => Kernel,
): (...keys: Keys) => Kernel {
  const made = new Map<string, Kernel>();
  return (...keys) => {
    const key = keys.join();
    const kernel = made.get(key) ?? make(...keys);
    made.set(key, kernel);
    return kernel;
  };
}

/** The kernel as gpu.js reads it. */
export function sourceOf({ inputs, scalars, body }: GpuKernel): string {
  return `function (${[...inputs, ...Object.keys(scalars)].join(', ')}) {\n${body}\n}`;
}

/** A kernel in WGSL of our own, for WebGPU alone. Binding 0 is its parameters (uniform), then inputs, then outputs. */
export interface WgslKernel {
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  readonly code: string; // entry point `main`
}

export function gpuFunction(
  source: string,
  argumentTypes: Readonly<Record<string, ScalarType>>,
  returnType: ScalarType,
  { calls = [], wgsl }: { calls?: readonly GpuFunction[]; wgsl?: string } = {},
): GpuFunction {
  const name = /^function (\w+)/.exec(source)?.[1] ?? '';
  const made = { name, source, argumentTypes, returnType, calls };
  return wgsl === undefined ? made : { ...made, wgsl };
}

function withCalls(functions: readonly GpuFunction[]): GpuFunction[] {
  const all = new Set<GpuFunction>();
  const visit = (called: GpuFunction) => {
    for (const deeper of called.calls) visit(deeper);
    all.add(called);
  };
  for (const called of functions) visit(called);
  return [...all];
}
