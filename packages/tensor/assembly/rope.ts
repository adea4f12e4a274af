/**
 * Rotary position embedding: pairs of numbers of each head are rotated by an angle that grows with the position.
 *
 *     y0 = x0 · cos − x1 · sin      y1 = x1 · cos + x0 · sin
 *
 * Su et al. 2021, https://arxiv.org/abs/2104.09864. The gradient rotates back: the same with −sin.
 */

/** The arguments of `rope`, as src/cpu/attention.ts lays them out: 32-bit words in this order. Strides in elements. */
@unmanaged
export class RopeCall {
  x: usize;
  y: usize;
  positions: usize;
  cos: usize;
  sin: usize;
  batchStride: usize;
  headStride: usize;
  tokenStride: usize;
  heads: i32;
  tokens: i32;
  headDim: i32;
  rotaryDim: i32;
  interleaved: i32;
  inverse: i32;
}

/** Rotates all heads of the tokens `begin .. end`, counted over the whole batch. y may be x. */
export function rope(call: RopeCall, begin: i32, end: i32): void {
  const pairs = call.rotaryDim >> 1;
  const sign: f32 = call.inverse ? -1.0 : 1.0;
  const rotated = <usize>call.rotaryDim << 2;
  const copied = (<usize>call.headDim << 2) - rotated;
  for (let token = begin; token < end; token++) {
    const row = load<i32>(call.positions + (<usize>token << 2));
    const angles = (<usize>row * <usize>pairs) << 2;
    const b = token / call.tokens;
    let start = (<usize>b * call.batchStride + <usize>(token - b * call.tokens) * call.tokenStride) << 2;
    for (let head = 0; head < call.heads; head++) {
      const x = call.x + start;
      const y = call.y + start;
      if (call.interleaved) rotateNeighbours(x, y, call.cos + angles, call.sin + angles, pairs, sign);
      else rotateHalves(x, y, call.cos + angles, call.sin + angles, pairs, sign);
      if (x != y && copied > 0) memory.copy(y + rotated, x + rotated, copied);
      start += call.headStride << 2;
    }
  }
}

/** Pairs (i, i + pairs), as Llama and GPT-NeoX. */
function rotateHalves(x: usize, y: usize, cos: usize, sin: usize, pairs: i32, sign: f32): void {
  const half = <usize>pairs << 2;
  const signs = f32x4.splat(sign);
  let i: usize = 0;
  for (; i + 16 <= half; i += 16) {
    const c = v128.load(cos + i);
    const s = f32x4.mul(signs, v128.load(sin + i));
    const x0 = v128.load(x + i);
    const x1 = v128.load(x + i + half);
    v128.store(y + i, f32x4.sub(f32x4.mul(x0, c), f32x4.mul(x1, s)));
    v128.store(y + i + half, f32x4.add(f32x4.mul(x1, c), f32x4.mul(x0, s)));
  }
  for (; i < half; i += 4) {
    rotate(x + i, x + i + half, y + i, y + i + half, load<f32>(cos + i), sign * load<f32>(sin + i));
  }
}

/** Pairs (2i, 2i + 1), as GPT-J. */
function rotateNeighbours(x: usize, y: usize, cos: usize, sin: usize, pairs: i32, sign: f32): void {
  const half = <usize>pairs << 2;
  const signs = f32x4.splat(sign);
  let i: usize = 0;
  for (; i + 16 <= half; i += 16) {
    const c = v128.load(cos + i);
    const s = f32x4.mul(signs, v128.load(sin + i));
    const low = v128.load(x + (i << 1));
    const high = v128.load(x + (i << 1), 16);
    const x0 = v128.shuffle<f32>(low, high, 0, 2, 4, 6);
    const x1 = v128.shuffle<f32>(low, high, 1, 3, 5, 7);
    const y0 = f32x4.sub(f32x4.mul(x0, c), f32x4.mul(x1, s));
    const y1 = f32x4.add(f32x4.mul(x1, c), f32x4.mul(x0, s));
    v128.store(y + (i << 1), v128.shuffle<f32>(y0, y1, 0, 4, 1, 5));
    v128.store(y + (i << 1), v128.shuffle<f32>(y0, y1, 2, 6, 3, 7), 16);
  }
  for (; i < half; i += 4) {
    const at = i << 1;
    rotate(x + at, x + at + 4, y + at, y + at + 4, load<f32>(cos + i), sign * load<f32>(sin + i));
  }
}

// @ts-ignore: decorator
@inline
function rotate(at0: usize, at1: usize, y0: usize, y1: usize, cos: f32, sin: f32): void {
  const x0 = load<f32>(at0);
  const x1 = load<f32>(at1);
  store<f32>(y0, x0 * cos - x1 * sin);
  store<f32>(y1, x1 * cos + x0 * sin);
}
