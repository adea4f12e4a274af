import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadGpuJs } from '../src/gpu/gpu-js.js';

const gpuJs = { WebGPUContext: {} };
/** A mock of vitest wants every name that is looked at. */
const nothing = { default: undefined, WebGPUContext: undefined };

afterEach(() => {
  vi.doUnmock('gpu.js');
  vi.unstubAllGlobals();
  vi.resetModules();
});

describe('gpu.js', () => {
  it.each([
    ['exported by name', { ...nothing, ...gpuJs }, {}],
    ['exported as a whole', { ...nothing, default: gpuJs }, {}],
    ['left in a global, by a page that has an import map and no bundler', nothing, gpuJs],
  ])('is found %s', async (_, module, global) => {
    vi.doMock('gpu.js', () => module);
    vi.stubGlobal('GPU', global);
    expect((await loadGpuJs()).WebGPUContext).toBe(gpuJs.WebGPUContext);
  });

  it('is refused where it is too old for WebGPU', async () => {
    vi.doMock('gpu.js', () => ({ ...nothing, default: { GPU: class {} } }));
    vi.stubGlobal('GPU', class {}); // a browser's own
    await expect(loadGpuJs()).rejects.toThrow(
      'gpu: gpu.js must be 2.24 or later, got one without WebGPU; npm install gpu.js@2.24',
    );
  });
});
