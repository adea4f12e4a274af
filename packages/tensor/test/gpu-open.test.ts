import { DeviceError, zeros } from '@burin/tensor';
import { gpu } from '@burin/tensor/gpu';
import { describe, expect, it, vi } from 'vitest';

// A driver that takes every kernel and says nothing: all that it computes is 0.
vi.mock('../src/gpu/gpu-js.js', () => ({ loadGpuJs: async () => ({ WebGL2Kernel: { isSupported: true } }) }));
vi.mock('../src/gpu/gl.js', () => ({
  GlBackend: class {
    readonly name = 'webgl2';
    readonly description = 'Zeros';
    readonly lost = null;
    readonly maxLength = 2 ** 30;
    readonly limit = 'maxTextureSize';
    readonly writesParts = true;
    allocate = (capacity: number) => ({ capacity });
    read = async (_storage: object, _index: number, length: number) => new Float32Array(length);
    compile = (kernel: object) => ({ kernel });
    release() {}
    run() {}
    write() {}
    trim() {}
    dispose() {}
  },
}));

describe('promise 15: a device proves itself', () => {
  it('opens no GPU that computes wrongly, neither at once nor when asked again', async () => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const opening = gpu({ backend: 'webgl2' });
      await expect(opening).rejects.toThrow(DeviceError);
      await expect(opening).rejects.toThrow(
        'gpu: gpu (WebGL 2 through gpu.js: Zeros) failed its self-test and is not used: ' +
          'of the sum of 1000 numbers, element 0 must be 500, got 0;',
      );
    }
    expect(() => zeros([1], { device: 'gpu' })).toThrow(DeviceError);
  });
});
