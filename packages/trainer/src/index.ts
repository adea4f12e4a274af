export type { IntervalStrategy, TrainingArguments, TrainingOptions } from './arguments.js';
export { resolveArguments } from './arguments.js';
export type { TrainerCallback, TrainerControl, TrainerEvent } from './callbacks.js';
export { findLastCheckpoint } from './checkpoints/folders.js';
export { type CollatorOptions, causalLmCollator, classificationCollator } from './data/collators.js';
export { type Decoder, describeExample, describePair } from './data/describe-example.js';
export type { Dataset, Example } from './data/example.js';
export type { Collator, HostBatch, HostInput, HostTensor, PackedBatch, TextBatch } from './data/host-batch.js';
export { type DatasetReport, inspectDataset } from './data/inspect-dataset.js';
export { packedCollator } from './data/packed-collator.js';
export { type Seq2SeqCollatorOptions, seq2seqCollator } from './data/seq2seq-collator.js';
export { DataError, NonFiniteError, NotTrainedError } from './errors.js';
export type { ComputeMetrics, EvalPrediction, Metrics } from './evaluation.js';
export type { NamedGenerators } from './generators.js';
export { formatBytes, formatMemory, type MemoryItem, type MemoryReport } from './memory.js';
export {
  accuracy,
  binaryScores,
  type ClassificationScores,
  type ClassScores,
  classificationScores,
  predictedClasses,
} from './metrics/classification.js';
export { type BleuOptions, type BleuScores, corpusBleu } from './metrics/corpus-bleu.js';
export {
  type ExactMatchOptions,
  type ExactMatchScores,
  exactMatch,
  normalizeAnswer,
} from './metrics/exact-match.js';
export { type PerplexityOptions, type PerplexityScores, perplexity } from './metrics/perplexity.js';
export { tokenize13a } from './metrics/tokenize-13a.js';
export type { ModelOutput, TrainableModel } from './model.js';
export type { OptimizerParameterState, OptimizerSnapshot, TrainerOptimizer } from './optimizer.js';
export { decayGroups } from './optimizer.js';
export type { BestCheckpoint, LogEntry, TrainerState } from './state.js';
export { createReporter, lineReporter, type Reporter } from './terminal.js';
export { Trainer, type TrainerOptions, type TrainResult } from './trainer.js';
