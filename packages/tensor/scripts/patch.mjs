// How the second build of the kernels is shipped: as what differs from the first. src/cpu/patch.ts applies a patch.
//
//     patch = length of the target, then steps until it is full
//     step  = count of new bytes, these bytes, signed distance to a place in the base, count of bytes to copy from there
//
// The distance counts from the end of the last copy. All numbers are LEB128; the sign is in the lowest bit.

const KEY_BYTES = 8; // shorter matches cost more than their bytes
const MOST_CANDIDATES = 100;

/** The places at which each run of `KEY_BYTES` bytes occurs. */
function indexOf(base) {
  const places = new Map();
  for (let i = 0; i + KEY_BYTES <= base.length; i++) {
    const key = base.toString('latin1', i, i + KEY_BYTES);
    const list = places.get(key);
    if (!list) places.set(key, [i]);
    else if (list.length < MOST_CANDIDATES) list.push(i);
  }
  return places;
}

function matchLength(base, from, target, to) {
  let length = 0;
  while (from + length < base.length && to + length < target.length && base[from + length] === target[to + length]) {
    length++;
  }
  return length;
}

/** The longest piece of the base that the target goes on with; of equally long ones the nearest. */
function longestMatch(base, places, target, to, expected) {
  let best = { from: expected, length: 0 };
  for (const from of places.get(target.toString('latin1', to, to + KEY_BYTES)) ?? []) {
    const length = matchLength(base, from, target, to);
    const isNearer = Math.abs(from - expected) < Math.abs(best.from - expected);
    if (length > best.length || (length === best.length && isNearer)) best = { from, length };
  }
  return best;
}

function pushNumber(bytes, value) {
  for (; value > 127; value >>>= 7) bytes.push((value & 127) | 128);
  bytes.push(value);
}

/** A patch that turns `base` into `target`. */
export function makePatch(base, target) {
  const [from, to] = [Buffer.from(base), Buffer.from(target)];
  const places = indexOf(from);
  const patch = [];
  pushNumber(patch, to.length);
  let fresh = 0; // where the bytes start that are in no match
  let end = 0; // of the last copy, in the base
  for (let at = 0; at < to.length; ) {
    const match = longestMatch(from, places, to, at, end);
    if (match.length < KEY_BYTES) {
      at++;
      continue;
    }
    pushStep(patch, to.subarray(fresh, at), match.from - end, match.length);
    end = match.from + match.length;
    at += match.length;
    fresh = at;
  }
  if (fresh < to.length) pushStep(patch, to.subarray(fresh), 0, 0);
  return Uint8Array.from(patch);
}

function pushStep(patch, fresh, distance, length) {
  pushNumber(patch, fresh.length);
  patch.push(...fresh);
  pushNumber(patch, (Math.abs(distance) << 1) | Number(distance < 0));
  pushNumber(patch, length);
}
