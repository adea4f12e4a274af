import type { TrainingArguments } from '../arguments.js';
import type { TrainerState } from '../state.js';
import type { Dataset } from './example.js';
import type { Collator, HostBatch } from './host-batch.js';
import { type DatasetReport, inspectDataset } from './inspect-dataset.js';
import { epochOrder, groupByLength } from './order.js';
import { collate, type Window, windowAt, windowsPerEpoch } from './windows.js';

/** Settings that a place in the data means nothing without. */
export type DataSettings = Readonly<Record<string, number | boolean>>;

/** Gives the window of any place in the data; what it gives depends on nothing but the place. */
export class DataFeed<E> {
  readonly report: DatasetReport;
  readonly windowsPerEpoch: number;
  readonly settings: DataSettings;
  readonly #dataset: Dataset<E>;
  readonly #collator: Collator<E>;
  readonly #args: TrainingArguments;
  #order: { epoch: number; indices: Int32Array } | null = null;

  /** @throws DataError as `inspectDataset` */
  constructor(dataset: Dataset<E>, collator: Collator<E>, args: TrainingArguments) {
    const { perDeviceTrainBatchSize, gradientAccumulationSteps, seed, groupByLength } = args;
    this.#dataset = dataset;
    this.#collator = collator;
    this.#args = args;
    this.report = inspectDataset(dataset, collator, 'Trainer: trainDataset');
    this.windowsPerEpoch = windowsPerEpoch(dataset.length, perDeviceTrainBatchSize, gradientAccumulationSteps);
    this.settings = {
      examples: dataset.length,
      trainedTokens: this.report.trainedTokens,
      perDeviceTrainBatchSize,
      gradientAccumulationSteps,
      seed,
      groupByLength,
    };
  }

  /** @throws DataError if no label counts in the window */
  async window({ epochIndex, windowInEpoch }: TrainerState): Promise<Window> {
    const { perDeviceTrainBatchSize: batchSize, gradientAccumulationSteps: accumulation } = this.#args;
    if (this.#order?.epoch !== epochIndex)
      this.#order = { epoch: epochIndex, indices: await this.#orderOf(epochIndex) };
    return windowAt(this.#dataset, this.#collator, this.#order.indices, windowInEpoch, { batchSize, accumulation });
  }

  /** The `size` longest examples as one batch. */
  longest(size: number): HostBatch {
    const { lengths } = this.report;
    const places = Array.from(lengths, (_, i) => i).sort((a, b) => lengths[b]! - lengths[a]!);
    return collate(this.#dataset, this.#collator, places.slice(0, size)).batch;
  }

  /** Tokens of the longest example. */
  get mostTokens(): number {
    return this.report.lengths.reduce((most, length) => Math.max(most, length), 0);
  }

  async #orderOf(epoch: number): Promise<Int32Array> {
    const { seed, perDeviceTrainBatchSize } = this.#args;
    const order = await epochOrder(this.#dataset.length, seed, epoch);
    return this.#args.groupByLength ? groupByLength(order, this.report.lengths, perDeviceTrainBatchSize) : order;
  }
}
