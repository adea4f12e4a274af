/** Sets elements begin .. end to one bit pattern. */

export function fill8(y: usize, pattern: u32, begin: usize, end: usize): void {
  memory.fill(y + begin, u8(pattern), end - begin);
}

export function fill16(y: usize, pattern: u32, begin: usize, end: usize): void {
  const lanes = i16x8.splat(i16(pattern));
  let i = begin;
  for (; i + 8 <= end; i += 8) v128.store(y + (i << 1), lanes);
  for (; i < end; i++) store<u16>(y + (i << 1), u16(pattern));
}

export function fill32(y: usize, pattern: u32, begin: usize, end: usize): void {
  const lanes = i32x4.splat(pattern);
  let i = begin;
  for (; i + 4 <= end; i += 4) v128.store(y + (i << 2), lanes);
  for (; i < end; i++) store<u32>(y + (i << 2), pattern);
}
