import type { Module } from '@burin/nn';
import type { Tensor } from '@burin/tensor';

/** One line of a memory table. */
export interface MemoryItem {
  readonly name: string;
  readonly bytes: number;
  /** How the number came about. */
  readonly source: string;
}

/** What a training run needs on its device, item by item. */
export interface MemoryReport {
  readonly items: readonly MemoryItem[];
  readonly totalBytes: number;
  /** What the device may hold; Infinity where it has no limit. */
  readonly budgetBytes: number;
  /** The most that was held at once in the run; null before it. */
  readonly measuredPeakBytes: number | null;
}

/** What the largest batch takes while it is trained on, measured. */
export interface BatchMemory {
  /** Without logits, weights and gradients of weights. */
  readonly activationBytes: number;
  readonly logitsBytes: number;
  /** The batch in words. */
  readonly batch: string;
}

export interface MemoryOptions extends BatchMemory {
  /** Bytes of optimizer state for each byte of trainable weights: AdamW's float32 moments are 2. */
  readonly optimizerStates: number;
  readonly budgetBytes: number;
  /** Bytes that the device holds besides the model. */
  readonly otherBytes: number;
}

/** Bytes of weights: each tensor once, also where two modules share it. */
export function weightBytes(model: Module): { trainable: number; frozen: number } {
  const bytes = { trainable: 0, frozen: 0 };
  const seen = new Set<Tensor>();
  for (const [, tensor] of [...model.namedParameters(), ...model.namedBuffers()]) {
    if (seen.has(tensor)) continue;
    seen.add(tensor);
    bytes[tensor.requiresGrad ? 'trainable' : 'frozen'] += tensor.byteLength;
  }
  return bytes;
}

/** What a run will need, item by item. */
export function itemiseMemory(model: Module, options: MemoryOptions): MemoryReport {
  const { activationBytes, logitsBytes, batch, optimizerStates, budgetBytes, otherBytes } = options;
  const { trainable, frozen } = weightBytes(model);
  const measured = `measured on ${batch}`;
  const items = [
    { name: 'base weights (frozen)', bytes: frozen, source: 'exact' },
    { name: 'trainable weights', bytes: trainable, source: 'exact' },
    { name: 'gradients', bytes: trainable, source: 'exact' },
    { name: 'optimizer state', bytes: optimizerStates * trainable, source: 'exact; what does not fit is paged out' },
    { name: 'activations', bytes: activationBytes, source: measured },
    { name: 'logits', bytes: logitsBytes, source: measured },
    { name: 'other tensors on the device', bytes: otherBytes, source: 'measured' },
  ];
  const totalBytes = items.reduce((sum, { bytes }) => sum + bytes, 0);
  return { items, totalBytes, budgetBytes, measuredPeakBytes: null };
}

/** The report as a table, a line an item. */
export function formatMemory({ items, totalBytes, budgetBytes, measuredPeakBytes }: MemoryReport): string {
  const rows = items.filter(({ bytes }) => bytes > 0).map(({ name, bytes, source }) => row(name, bytes, source));
  rows.push(row('total', totalBytes, Number.isFinite(budgetBytes) ? `budget ${formatBytes(budgetBytes)}` : ''));
  if (measuredPeakBytes !== null) rows.push(row('most held at once', measuredPeakBytes, 'measured'));
  return rows.join('\n');
}

function row(name: string, bytes: number, source: string): string {
  return `  ${name.padEnd(28)} ${formatBytes(bytes).padStart(10)}  ${source}`.trimEnd();
}

/** 1536 as `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  for (; value >= 1024 && unit < units.length - 1; unit++) value /= 1024;
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
