/**
 * About how long kernels take on one thread, to tell whether threads pay: nanoseconds, measured at 3 GHz. A guess that is
 * wrong by a factor of two costs a few microseconds.
 */

/** To move a byte, from or to memory that does not fit the caches. */
export const BYTE = 0.06;
/** An element of float32 that is read or written. */
export const ELEMENT = 4 * BYTE;
/** An element that goes through exp, tanh, erf and the like. */
export const FUNCTION = 1;
/** An element of random numbers. */
export const RANDOM = 1.5;
/** An element that is quantized. */
export const QUANTIZE = 4;
/** One multiplication and addition of a product. */
export const MULTIPLY_ADD = 0.045;
