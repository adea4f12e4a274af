/**
 * About how long kernels take one thread, in nanoseconds an element: measured on a 3 GHz server, with data that fit the
 * caches. Only to tell whether it pays to wake other threads; to be wrong by a factor of two costs microseconds.
 */

/** To read or to write a float32; kernels that do more with it count as many. */
export const ELEMENT = 0.05;
/** To read or to write a byte in bulk. */
export const BYTE = ELEMENT / 4;
/** Exponential, error function and the like. */
export const FUNCTION = 1.2;
/** A power with any exponent. */
export const POWER = 9;
/** A random number, uniform. */
export const RANDOM = 2;
export const QUANTIZE_4_BIT = 2.6;
export const DEQUANTIZE_4_BIT = 0.25;
export const QUANTIZE_8_BIT = 9.5;
/** A multiplication and an addition of a product. */
export const MULTIPLY_ADD = 0.036;
/** The same of a product by a BLAS. */
export const BLAS_MULTIPLY_ADD = 0.015;
/** A multiplication with a 4-bit weight and an addition, by look-up. */
export const LOOK_UP = 0.07;
/** The table of one input, for that. */
export const TABLE = 4;
