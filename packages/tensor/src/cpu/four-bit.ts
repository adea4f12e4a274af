import type { FourBitWeight } from '../kernels/quantization.js';
import { floatBits } from './call.js';
import { pointer } from './engine.js';

/** `type` in assembly/four-bit.ts. */
export const FOUR_BIT_TYPES = { nf4: 0, fp4: 1 } as const;

/** The words of `FourBitWeight` in assembly/four-bit.ts; `packed` is where the codes are. */
export function weightWords(weight: FourBitWeight, packed: number = pointer(weight.packed)): number[] {
  return [
    FOUR_BIT_TYPES[weight.type],
    packed,
    weight.size,
    weight.blockSize,
    pointer(weight.absmax),
    pointer(weight.absmaxCodes),
    pointer(weight.nestedAbsmax),
    pointer(weight.nestedCode),
    floatBits(weight.nestedOffset),
    weight.nestedBlockSize,
  ];
}
