/**
 * The second build of the kernels, made from the first: see scripts/patch.mjs for the format. Two thousand of its 130
 * thousand bytes are new.
 */
export function applyPatch(base: Uint8Array, patch: Uint8Array): Uint8Array<ArrayBuffer> {
  let at = 0;
  const number = () => {
    for (let value = 0, shift = 0; ; shift += 7) {
      const byte = patch[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  const target = new Uint8Array(number());
  for (let to = 0, from = 0; to < target.length; ) {
    const fresh = number();
    target.set(patch.subarray(at, at + fresh), to);
    at += fresh;
    to += fresh;
    const distance = number();
    from += distance & 1 ? -(distance >>> 1) : distance >>> 1;
    const copied = number();
    target.set(base.subarray(from, from + copied), to);
    from += copied;
    to += copied;
  }
  return target;
}
