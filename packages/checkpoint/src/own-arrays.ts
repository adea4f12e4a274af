// Arrays over memory of their own, which a `Blob` takes. TypeScript says `Uint8Array<ArrayBuffer>` for the first since 5.7;
// before, arrays had no type parameter, and these names are what all versions understand.

/** Bytes that share no memory with anything else. */
export type OwnBytes = ReturnType<typeof Uint8Array.of>;

/** The same of float32. */
export type OwnFloats = ReturnType<typeof Float32Array.of>;

/** The same of int32. */
export type OwnIntegers = ReturnType<typeof Int32Array.of>;
