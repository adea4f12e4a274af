import type { Metrics } from './evaluation.js';

/** A line of the run's log. */
export interface LogEntry {
  readonly step: number;
  /** Epochs done, with a fraction. */
  readonly epoch: number;
  /** By name: `loss`, `gradNorm`, `learningRate`, `tokensPerSecond`, or the figures of an evaluation. */
  readonly [figure: string]: number;
}

/** A checkpoint and the figure that it is judged by. */
export interface BestCheckpoint {
  /** Folder inside `outputDir`. */
  readonly name: string;
  readonly metric: number;
}

/** Where a run is: everything that its next steps depend on besides weights, optimizer, schedule and generators. */
export interface TrainerState {
  /** Optimizer steps taken. */
  globalStep: number;
  /** Optimizer steps of the whole run. */
  maxSteps: number;
  /** The epoch that is being gone through, from 0, and the windows of it that are done. */
  epochIndex: number;
  windowInEpoch: number;
  windowsPerEpoch: number;
  /** Labels trained on so far, and tokens read for it. */
  trainedTokens: number;
  inputTokens: number;
  /** Sums of the steps' losses: of the whole run, and since the last log. */
  totalLoss: number;
  lossSinceLog: number;
  stepsSinceLog: number;
  logHistory: LogEntry[];
  /** The last evaluation, and the step it was made at. */
  lastMetrics: Metrics | null;
  lastEvaluatedStep: number;
  bestMetric: number | null;
  evaluationsSinceBest: number;
  bestCheckpoint: BestCheckpoint | null;
}

/** The state before the first step. */
export function initialState(maxSteps: number, windowsPerEpoch: number): TrainerState {
  return {
    globalStep: 0,
    maxSteps,
    epochIndex: 0,
    windowInEpoch: 0,
    windowsPerEpoch,
    trainedTokens: 0,
    inputTokens: 0,
    totalLoss: 0,
    lossSinceLog: 0,
    stepsSinceLog: 0,
    logHistory: [],
    lastMetrics: null,
    lastEvaluatedStep: 0,
    bestMetric: null,
    evaluationsSinceBest: 0,
    bestCheckpoint: null,
  };
}

/** Epochs done, with a fraction. */
export function epochOf({ epochIndex, windowInEpoch, windowsPerEpoch }: TrainerState): number {
  return epochIndex + windowInEpoch / windowsPerEpoch;
}
