/** The sums that normalisations need of a row, in blocks of 1024 joined in float64 as in sums.ts. */
import { loadPart4, maskTail4, weightPart4 } from './lanes';
import { all4, madd4, sumLanes4 } from './math';
import { BLOCK } from './sums';

/** `Σ (x − center)²`. */
export function centeredSquares(x: usize, count: usize, center: f32): f64 {
  let total: f64 = 0.0;
  for (let i: usize = 0; i < count; i += BLOCK) {
    total += f64(centeredBlock(x + (i << 2), min<usize>(BLOCK, count - i), center));
  }
  return total;
}

function centeredBlock(x: usize, count: usize, center: f32): f32 {
  const mean = all4(center);
  let even = all4(0.0);
  let odd = even;
  let i: usize = 0;
  for (; i + 8 <= count; i += 8) {
    const a = f32x4.sub(v128.load(x + (i << 2)), mean);
    const b = f32x4.sub(v128.load(x + (i << 2), 16), mean);
    even = madd4(a, a, even);
    odd = madd4(b, b, odd);
  }
  for (; i < count; i += 4) {
    let a = f32x4.sub(loadPart4(x + (i << 2), count - i), mean);
    if (count - i < 4) a = v128.and(a, maskTail4(count - i));
    even = madd4(a, a, even);
  }
  return sumLanes4(f32x4.add(even, odd));
}

/** `Σ g · weight · (x − center)`; weight 0 means 1. */
export function weightedDot(g: usize, weight: usize, x: usize, count: usize, center: f32): f64 {
  let total: f64 = 0.0;
  for (let i: usize = 0; i < count; i += BLOCK) {
    const at = i << 2;
    total += f64(weightedBlock(g + at, weight ? weight + at : 0, x + at, min<usize>(BLOCK, count - i), center));
  }
  return total;
}

function weightedBlock(g: usize, weight: usize, x: usize, count: usize, center: f32): f32 {
  const mean = all4(center);
  let sum = all4(0.0);
  for (let i: usize = 0; i < count; i += 4) {
    const at = i << 2;
    const left = count - i;
    const scaled = f32x4.mul(loadPart4(g + at, left), weightPart4(weight, at, left));
    sum = madd4(scaled, f32x4.sub(loadPart4(x + at, left), mean), sum);
  }
  return sumLanes4(sum);
}

/** `Σ g · weight`; weight 0 means 1. */
export function weightedSum(g: usize, weight: usize, count: usize): f64 {
  let total: f64 = 0.0;
  for (let block: usize = 0; block < count; block += BLOCK) {
    const stop = min<usize>(count, block + BLOCK);
    let sum = all4(0.0);
    for (let i = block; i < stop; i += 4) {
      sum = madd4(loadPart4(g + (i << 2), stop - i), weightPart4(weight, i << 2, stop - i), sum);
    }
    total += f64(sumLanes4(sum));
  }
  return total;
}
