import type * as reference from '@burin/testing/reference';
import { expectTypeOf, test } from 'vitest';
import type { Kernels } from '../../src/kernels/index.js';

/** Buffers on a device and arrays in a reference count as the same. */
type Erased<T> = T extends { byteLength: number }
  ? 'buffer'
  : T extends object
    ? { -readonly [P in keyof T]: Erased<T[P]> }
    : T;

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type Signature<F extends (...args: never) => void> = Erased<Parameters<F>>;

/** The names of the kernels whose reference takes something else. */
type Differing = {
  [K in keyof Kernels]: Equal<Signature<(typeof reference)[K]>, Signature<Kernels[K]>> extends true ? never : K;
}[keyof Kernels];

test('every kernel has a reference with the same arguments in the same order', () => {
  expectTypeOf<Differing>().toBeNever();
});
