/** Panels of keys, values, queries and gradients for the block products of attention; tokens are the stored rows. */
import { dealRows, transposePanel } from './matmul-pack';
import { panelBytes, TILE_COLUMNS } from './microkernel';

/** Bytes of the panels of up to `tokens` tokens (a multiple of 8) of `size` numbers, in either arrangement. */
export function panelsBytes(tokens: i32, size: i32): usize {
  return (<usize>tokens << 2) * <usize>((size + TILE_COLUMNS - 1) & ~(TILE_COLUMNS - 1));
}

/** Tokens become columns, eight to a panel: for products that sum over the numbers of a token. */
export function packTokensAsColumns(x: usize, row: usize, tokens: i32, size: i32, panels: usize): void {
  for (; tokens > 0; tokens -= TILE_COLUMNS) {
    transposePanel(x, row, min(TILE_COLUMNS, tokens), size, panels);
    x += row * TILE_COLUMNS;
    panels += panelBytes(size);
  }
}

/** Tokens become steps: for products that sum over tokens. */
export function packTokensAsSteps(x: usize, row: usize, tokens: i32, size: i32, panels: usize): void {
  dealRows(x, row, tokens, size, panels, panelBytes(tokens));
}
