/** Which row of the checkpoint's tensor becomes row `row` of the file's, of `rows` in all. */
export type RowOrder = (row: number, rows: number) => number;

/** Where a tensor of a checkpoint goes in a GGUF file, and what is done to it on the way. */
export interface Placement {
  readonly name: string;
  /** Left out: rows stay in their places. */
  readonly rowOrder?: RowOrder;
  /** Stored `[in, out]` in the checkpoint, and `[out, in]` in the file. */
  readonly transposed?: boolean;
  /** 1 is added: a norm that multiplies by 1 + weight. */
  readonly plusOne?: boolean;
}

/**
 * From Hugging Face's order of each head's elements, in which first halves turn with second halves, to the one in which
 * those that turn together are neighbours.
 */
export function pairedRows(heads: number): RowOrder {
  return (row, rows) => {
    const headDim = rows / heads;
    const within = row % headDim;
    return row - within + (within % 2) * (headDim / 2) + Math.floor(within / 2);
  };
}

/** From query, key and value of one head side by side to all queries, all keys, all values. */
export function groupedRows(heads: number): RowOrder {
  return (row, rows) => {
    const headDim = rows / 3 / heads;
    const part = Math.floor(row / (heads * headDim)); // query, key or value
    const head = Math.floor(row / headDim) % heads;
    return (head * 3 + part) * headDim + (row % headDim);
  };
}
