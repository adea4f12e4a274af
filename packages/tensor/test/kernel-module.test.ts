import { afterEach, describe, expect, it, vi } from 'vitest';
import { kernelModule } from '../src/cpu/module.js';
import { DeviceError } from '../src/errors.js';

afterEach(() => vi.restoreAllMocks());

describe('kernels are refused, with what would help', () => {
  it('by an engine without SIMD', () => {
    vi.spyOn(WebAssembly, 'validate').mockReturnValue(false);
    expect(() => kernelModule('plain', false)).toThrow(DeviceError);
    expect(() => kernelModule('plain', false)).toThrow(
      'cpu: this engine has no WebAssembly SIMD; use Node 20.19 or later, or a current browser',
    );
  });

  it('by the policy of a page', () => {
    vi.spyOn(WebAssembly, 'Module').mockImplementation(function refuse(): never {
      throw new WebAssembly.CompileError("violates the directive because 'unsafe-eval' is not allowed");
    });
    expect(() => kernelModule('plain', false)).toThrow(DeviceError);
    expect(() => kernelModule('plain', false)).toThrow(
      "cpu: the kernels could not be compiled: violates the directive because 'unsafe-eval' is not allowed; " +
        "the Content-Security-Policy of a page must allow script-src 'wasm-unsafe-eval'",
    );
  });
});
