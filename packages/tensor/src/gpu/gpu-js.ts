import { DeviceError } from '../errors.js';
import { type GpuKernel, type ScalarType, sourceOf } from './kernel.js';

// What is used of gpu.js 2.24, by shape: its own types say less than its kernels have. Nothing is loaded before `loadGpuJs`.

/** A kernel of gpu.js, built: translated, and on GL compiled too. */
export interface GpuJsKernel {
  build(...args: unknown[]): unknown;
  _buildAsync(): Promise<void>;
  compiledSource?: string; // WGSL
  program?: WebGLProgram;
  context?: WebGLRenderingContext;
  [key: string]: unknown;
}

interface GpuJsInstance {
  addFunction(source: string, settings: { argumentTypes: Record<string, ScalarType>; returnType: ScalarType }): void;
  createKernel(source: string, settings: Record<string, unknown>): { kernel: GpuJsKernel };
  functions: unknown[];
  context: unknown;
}

export interface GpuJs {
  readonly GPU: new (settings: { mode: string; context?: unknown; canvas?: unknown }) => GpuJsInstance;
  readonly WebGPUContext: {
    acquire(): Promise<{ adapter: never; device: never; isLost: boolean }>;
    isSupported: boolean;
  };
  readonly HeadlessGLKernel: { isSupported: boolean };
  readonly WebGL2Kernel: { isSupported: boolean };
}

/** @throws DeviceError if gpu.js is not installed, or is of a version without WebGPU */
export async function loadGpuJs(): Promise<GpuJs> {
  const loaded = await importGpuJs();
  const { GPU: global } = globalThis as { GPU?: Partial<GpuJs> }; // exports nothing where no bundler has made it a module
  const found = [loaded.default, loaded, global].find((one) => one?.WebGPUContext);
  if (found) return found as GpuJs;
  throw new DeviceError('gpu: gpu.js must be 2.24 or later, got one without WebGPU; npm install gpu.js@2.24');
}

async function importGpuJs(): Promise<{ default?: Partial<GpuJs> } & Partial<GpuJs>> {
  try {
    return (await import('gpu.js')) as unknown as Partial<GpuJs>;
  } catch (error) {
    throw new DeviceError(
      `gpu: gpu.js could not be loaded; install it first: npm install gpu.js@2.24 (${String(error)})`,
      {
        cause: error,
      },
    );
  }
}

/** gpu.js's name of a texture that is read four floats at a time. */
export const VECTOR = 'ArrayTexture(4)';

/** gpu.js's settings of a kernel: single precision, its result left on the GPU, one program for all sizes. */
function kernelSettings(kernel: GpuKernel, arrayType: string): Record<string, unknown> {
  const argumentTypes: Record<string, string> = Object.fromEntries(
    kernel.inputs.map((name) => [name, kernel.vectors.includes(name) ? VECTOR : arrayType]),
  );
  return {
    output: [4],
    precision: 'single',
    tactic: 'precision', // high precision throughout, in GL's words
    pipeline: true,
    immutable: true,
    dynamicOutput: true,
    dynamicArguments: true,
    optimizeFloatMemory: kernel.width === 1,
    loopMaxIterations: 1 << 30,
    argumentTypes: { ...argumentTypes, ...kernel.scalars },
  };
}

/** Hands `kernel` to gpu.js, whose `build` translates it. */
export function createKernel(gpu: GpuJsInstance, kernel: GpuKernel, arrayType: string): GpuJsKernel {
  gpu.functions.length = 0; // each kernel brings its own, so that no text is translated twice
  for (const { source, argumentTypes, returnType } of kernel.functions) {
    gpu.addFunction(source, { argumentTypes: { ...argumentTypes }, returnType });
  }
  return gpu.createKernel(sourceOf(kernel), kernelSettings(kernel, arrayType)).kernel;
}
