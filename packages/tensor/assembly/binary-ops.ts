/** The functions of two variables, one class each, used as those of unary-ops.ts. */
import { pow4 } from './unary-ops';

export class Add {
  @inline value(a: v128, b: v128): v128 { return f32x4.add(a, b); }
}

export class Sub {
  @inline value(a: v128, b: v128): v128 { return f32x4.sub(a, b); }
}

export class Mul {
  @inline value(a: v128, b: v128): v128 { return f32x4.mul(a, b); }
}

export class Div {
  @inline value(a: v128, b: v128): v128 { return f32x4.div(a, b); }
}

export class Pow {
  @inline value(a: v128, b: v128): v128 { return pow4(a, b); }
}

export class Maximum {
  @inline value(a: v128, b: v128): v128 { return f32x4.max(a, b); }
}

export class Minimum {
  @inline value(a: v128, b: v128): v128 { return f32x4.min(a, b); }
}
