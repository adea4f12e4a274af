/** Weighted sums of rows: a product of one row with a matrix that is read row by row, where it lies. */
import { madd4 } from './math';

/** `y += Σ a[i] · wi` over `count` rows of `columns` numbers, `wRow` bytes apart. */
export function addRows(a: usize, w: usize, wRow: usize, count: i32, columns: i32, y: usize): void {
  for (; count >= 4; count -= 4) {
    addFourRows(a, w, wRow, columns, y);
    a += 16;
    w += wRow * 4;
  }
  for (; count > 0; count--) {
    addRow(load<f32>(a), w, columns, y);
    a += 4;
    w += wRow;
  }
}

/** `y += a[0] · w0 + a[1] · w1 + a[2] · w2 + a[3] · w3`. */
function addFourRows(a: usize, w0: usize, wRow: usize, columns: i32, y: usize): void {
  const a0 = v128.load32_splat(a);
  const a1 = v128.load32_splat(a, 4);
  const a2 = v128.load32_splat(a, 8);
  const a3 = v128.load32_splat(a, 12);
  let w1 = w0 + wRow;
  let w2 = w1 + wRow;
  let w3 = w2 + wRow;
  // eight columns at a time: of four, counting and stepping are a third of the instructions
  for (; columns >= 8; columns -= 8) {
    const first = madd4(a1, v128.load(w1), f32x4.mul(a0, v128.load(w0)));
    const second = madd4(a3, v128.load(w3), f32x4.mul(a2, v128.load(w2)));
    v128.store(y, f32x4.add(v128.load(y), f32x4.add(first, second)));
    const third = madd4(a1, v128.load(w1, 16), f32x4.mul(a0, v128.load(w0, 16)));
    const fourth = madd4(a3, v128.load(w3, 16), f32x4.mul(a2, v128.load(w2, 16)));
    v128.store(y, f32x4.add(v128.load(y, 16), f32x4.add(third, fourth)), 16);
    w0 += 32;
    w1 += 32;
    w2 += 32;
    w3 += 32;
    y += 32;
  }
  for (; columns >= 4; columns -= 4) {
    const first = madd4(a1, v128.load(w1), f32x4.mul(a0, v128.load(w0)));
    const second = madd4(a3, v128.load(w3), f32x4.mul(a2, v128.load(w2)));
    v128.store(y, f32x4.add(v128.load(y), f32x4.add(first, second)));
    w0 += 16;
    w1 += 16;
    w2 += 16;
    w3 += 16;
    y += 16;
  }
  for (; columns > 0; columns--) {
    const first = load<f32>(a) * load<f32>(w0) + load<f32>(a, 4) * load<f32>(w1);
    const second = load<f32>(a, 8) * load<f32>(w2) + load<f32>(a, 12) * load<f32>(w3);
    store<f32>(y, load<f32>(y) + (first + second));
    w0 += 4;
    w1 += 4;
    w2 += 4;
    w3 += 4;
    y += 4;
  }
}

/** `y += a · w`. */
function addRow(a: f32, w: usize, columns: i32, y: usize): void {
  for (; columns > 0; columns--) {
    store<f32>(y, load<f32>(y) + a * load<f32>(w));
    w += 4;
    y += 4;
  }
}
