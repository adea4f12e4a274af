import { setGpu } from '../devices.js';
import { DeviceError } from '../errors.js';
import type { Backend, BackendName } from './backend.js';
import { GpuDevice } from './device.js';
import { GlBackend } from './gl.js';
import { type GpuJs, loadGpuJs } from './gpu-js.js';
import { isNode, provideWebGpu } from './node-webgpu.node.js';
import { selfTest } from './self-test.js';
import { WebGpuBackend } from './webgpu.js';

/** What is open: gpu.js has one device or context a backend, so we have too. */
const devices = new Map<BackendName, GpuDevice>();
/** What is being opened, so that two calls at once get the same. */
const opening = new Map<BackendName, Promise<GpuDevice | string>>();

/** Which backend. */
export interface GpuOptions {
  /** Only this one will do. Default: WebGPU where an adapter answers, else WebGL 2 (browser) or headless GL (Node). */
  readonly backend?: BackendName;
}

/**
 * Opens a GPU through gpu.js, which is loaded now, and has it prove itself: a sum, a matrix product and an element at a
 * large index must come out right. A backend that is open already is handed out again, unless it was lost. From now on
 * `device: 'gpu'` stands for it.
 *
 * @throws DeviceError if there is none, saying what was tried and what to install; if gpu.js is not installed; or if the
 *   GPU failed its test, saying what it got wrong. It never falls back to the CPU.
 * @throws RangeError for a backend that does not exist
 * @example
 * const device = await gpu();
 * const x = tensor([1, 2, 3], [3], { device });
 */
export async function gpu({ backend }: GpuOptions = {}): Promise<GpuDevice> {
  const wanted =
    backend === undefined ? (['webgpu', isNode() ? 'headlessgl' : 'webgl2'] as const) : [checkName(backend)];
  const gpuJs = await loadGpuJs();
  const tried: string[] = [];
  for (const name of wanted) {
    const known = devices.get(name);
    if (known && known.lost === null) return use(known);
    known?.dispose();
    const opened = await openOnce(gpuJs, name);
    if (typeof opened !== 'string') return use(opened);
    tried.push(`${name}: ${opened}`);
  }
  throw new DeviceError(
    `gpu: no GPU could be opened; tried ${tried.join('; ')}. Leave device out to compute on the CPU`,
  );
}

function use(device: GpuDevice): GpuDevice {
  setGpu(device);
  return device;
}

function openOnce(gpuJs: GpuJs, name: BackendName): Promise<GpuDevice | string> {
  const begun = opening.get(name) ?? openDevice(gpuJs, name).finally(() => opening.delete(name));
  opening.set(name, begun);
  return begun;
}

/** The device, which has proved itself, or why there is none. */
async function openDevice(gpuJs: GpuJs, name: BackendName): Promise<GpuDevice | string> {
  const backend = await openBackend(gpuJs, name);
  if (typeof backend === 'string') return backend;
  const device = new GpuDevice(backend, () => {
    if (devices.get(name) !== device) return; // another one was opened since
    devices.delete(name);
    setGpu(null);
  });
  await selfTest(device);
  backend.trim(); // the test's buffers are larger than most
  devices.set(name, device);
  return device;
}

/** The backend, or why there is none. */
async function openBackend(gpuJs: GpuJs, name: BackendName): Promise<Backend | string> {
  try {
    return name === 'webgpu' ? await openWebGpu(gpuJs) : openGl(gpuJs, name);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function openWebGpu(gpuJs: GpuJs): Promise<Backend | string> {
  const missing = await provideWebGpu();
  if (missing !== null) return missing;
  const { adapter, device } = await gpuJs.WebGPUContext.acquire();
  return new WebGpuBackend(gpuJs, adapter, device);
}

function openGl(gpuJs: GpuJs, name: 'webgl2' | 'headlessgl'): Backend | string {
  if (name === 'headlessgl') {
    if (gpuJs.HeadlessGLKernel.isSupported) return new GlBackend(gpuJs, name);
    return 'headless GL comes with the package gl, which compiles when it is installed (npm install gl), and wants a display (xvfb-run)';
  }
  return gpuJs.WebGL2Kernel.isSupported
    ? new GlBackend(gpuJs, name)
    : 'this browser has no WebGL 2 with float textures';
}

function checkName(name: string): BackendName {
  if (name === 'webgpu' || name === 'webgl2' || name === 'headlessgl') return name;
  throw new RangeError(`gpu: backend must be 'webgpu', 'webgl2' or 'headlessgl', got '${name}'`);
}
