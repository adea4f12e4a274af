import type { LoraLinear } from './lora-linear.js';

/** What merging did. */
export interface MergeReport {
  readonly adapters: readonly string[];
  /** Dotted names of the layers whose weight changed. */
  readonly layers: readonly string[];
  /** Those of them whose base was not stored as floats: they now hold its dequantized weight and the adapter's part. */
  readonly dequantized: readonly string[];
  /** The largest |difference| in what the probe returns; null without a probe. */
  readonly largestDifference: number | null;
}

export function describeMerge(
  adapters: readonly string[],
  layers: Iterable<[name: string, layer: LoraLinear]>,
  largestDifference: number | null,
): MergeReport {
  const merged = [...layers].filter(([, { isMerged }]) => isMerged);
  return {
    adapters,
    layers: merged.map(([name]) => name),
    dequantized: merged.filter(([, { isDequantized }]) => isDequantized).map(([name]) => name),
    largestDifference,
  };
}
