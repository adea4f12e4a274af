/**
 * What a reduction does with each element (`lift`) and with two partial results (`join`), one class each, used as those
 * of unary-ops.ts. `start` is the result of nothing.
 */
import { sumLanes4 } from './math';

export class Sum {
  @inline start(): f32 { return 0.0; }
  @inline lift(x: v128): v128 { return x; }
  @inline join(a: v128, b: v128): v128 { return f32x4.add(a, b); }
  @inline across(a: v128): f32 { return sumLanes4(a); }
}

export class SumAbs {
  @inline start(): f32 { return 0.0; }
  @inline lift(x: v128): v128 { return f32x4.abs(x); }
  @inline join(a: v128, b: v128): v128 { return f32x4.add(a, b); }
  @inline across(a: v128): f32 { return sumLanes4(a); }
}

export class SumSquares {
  @inline start(): f32 { return 0.0; }
  @inline lift(x: v128): v128 { return f32x4.mul(x, x); }
  @inline join(a: v128, b: v128): v128 { return f32x4.add(a, b); }
  @inline across(a: v128): f32 { return sumLanes4(a); }
}

/** f32x4.max and min pass NaN on. */
export class Max {
  @inline start(): f32 { return -Infinity; }
  @inline lift(x: v128): v128 { return x; }
  @inline join(a: v128, b: v128): v128 { return f32x4.max(a, b); }
  @inline across(a: v128): f32 {
    const pairs = f32x4.max(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
    return max<f32>(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
  }
}

export class Min {
  @inline start(): f32 { return Infinity; }
  @inline lift(x: v128): v128 { return x; }
  @inline join(a: v128, b: v128): v128 { return f32x4.min(a, b); }
  @inline across(a: v128): f32 {
    const pairs = f32x4.min(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
    return min<f32>(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
  }
}

export class MaxAbs {
  @inline start(): f32 { return 0.0; }
  @inline lift(x: v128): v128 { return f32x4.abs(x); }
  @inline join(a: v128, b: v128): v128 { return f32x4.max(a, b); }
  @inline across(a: v128): f32 {
    const pairs = f32x4.max(a, v128.shuffle<f32>(a, a, 2, 3, 0, 1));
    return max<f32>(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
  }
}
