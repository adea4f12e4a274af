/** Where a tensor of a checkpoint goes in a GGUF file, and what is done to it on the way. */
export interface Placement {
  readonly name: string;
  /**
   * The rows are turned from Hugging Face's order of a head's elements, first halves then second halves, to the one in
   * which pairs that rotate together are neighbours: this many heads.
   */
  readonly pairedHeads?: number;
  /** Stored `[in, out]` in the checkpoint, and `[out, in]` in the file. */
  readonly transposed?: boolean;
  /** 1 is added: a norm that multiplies by 1 + weight. */
  readonly plusOne?: boolean;
}

/** Which row of the checkpoint becomes row `row` of the file, where rows are `heads` heads whose pairs are to be neighbours. */
export function pairedRow(row: number, rows: number, heads: number): number {
  const headDim = rows / heads;
  const head = Math.floor(row / headDim);
  const within = row % headDim;
  return head * headDim + (within % 2) * (headDim / 2) + Math.floor(within / 2);
}
