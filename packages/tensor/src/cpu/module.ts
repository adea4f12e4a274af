import { DeviceError } from '../errors.js';
import { MemoryError } from '../memory.js';
import { kernelsWasm, relaxedPatch } from './kernels.wasm.js';
import { applyPatch } from './patch.js';
import type { Simd } from './simd.js';

/** Of an import of a memory: it has a maximum, and it is shared. */
const HAS_MAXIMUM = 1;
const SHARED_WITH_MAXIMUM = 3;
/** Pages of 64 KiB with which a memory starts: `--initialMemory` in scripts/build-kernels.mjs. */
const INITIAL_PAGES = 64;
/** 4 GiB but for one page: the address after the last byte of 4 GiB is 0, and kernels compare addresses. */
const MOST_PAGES = 65535;

const compiled = new Map<string, WebAssembly.Module>();

/** A build of the kernels, compiled once in a process, when a device first needs it; for a shared memory or for one that is not. */
export function kernelModule(simd: Simd, shared: boolean): WebAssembly.Module {
  const key = `${simd}, ${shared}`;
  const known = compiled.get(key);
  if (known) return known;
  const plain = fromBase64(kernelsWasm);
  const bytes = simd === 'relaxed' ? applyPatch(plain, fromBase64(relaxedPatch)) : plain;
  if (!shared) importUnsharedMemory(bytes);
  if (!WebAssembly.validate(bytes)) {
    throw new DeviceError('cpu: this engine has no WebAssembly SIMD; use Node 20.19 or later, or a current browser');
  }
  const module = compile(bytes);
  compiled.set(key, module);
  return module;
}

/** Of bytes that are valid. */
function compile(bytes: Uint8Array<ArrayBuffer>): WebAssembly.Module {
  try {
    return new WebAssembly.Module(bytes);
  } catch (cause) {
    throw new DeviceError(
      `cpu: the kernels could not be compiled: ${(cause as Error).message}; ` +
        "the Content-Security-Policy of a page must allow script-src 'wasm-unsafe-eval'",
      { cause },
    );
  }
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

/**
 * Makes the module take a memory that is not shared. It is built for a shared one, but holds no instruction that needs
 * it: one byte differs, the flags of `(import "env" "memory" (memory 64 65536 shared))`.
 */
function importUnsharedMemory(bytes: Uint8Array): void {
  const name = new TextEncoder().encode('\u0003env\u0006memory\u0002'); // each name after its length; 2: a memory
  const at = bytes.findIndex((_, start) => name.every((byte, i) => bytes[start + i] === byte)) + name.length;
  if (bytes[at] !== SHARED_WITH_MAXIMUM) throw new DeviceError('cpu: the kernels are not built for a shared memory');
  bytes[at] = HAS_MAXIMUM;
}

/** A memory that can grow to 4 GiB, or as far as this machine lets one reserve addresses. */
export function createMemory(shared: boolean): { memory: WebAssembly.Memory; maximumPages: number } {
  for (const maximum of [MOST_PAGES, 32768, 16384]) {
    try {
      return { memory: new WebAssembly.Memory({ initial: INITIAL_PAGES, maximum, shared }), maximumPages: maximum };
    } catch {
      // try for less
    }
  }
  throw new MemoryError('cpu: this machine gives no address space for 1 GiB of WebAssembly memory');
}
