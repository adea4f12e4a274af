/** Above this the call into the engine's own copy pays for itself. */
const LONG: usize = 1024;

/** Copies bytes that do not overlap. */
export function copyBytes(x: usize, y: usize, byteLength: usize): void {
  if (byteLength >= LONG) {
    memory.copy(y, x, byteLength);
    return;
  }
  let i: usize = 0;
  for (; i + 16 <= byteLength; i += 16) v128.store(y + i, v128.load(x + i));
  for (; i + 4 <= byteLength; i += 4) store<u32>(y + i, load<u32>(x + i));
  for (; i < byteLength; i++) store<u8>(y + i, load<u8>(x + i));
}
