import type { TrainingArguments } from './arguments.js';
import type { Metrics } from './evaluation.js';
import type { LogEntry, TrainerState } from './state.js';

/** What a callback may ask for; each is looked at after the step and then cleared, but for `shouldStop`. */
export interface TrainerControl {
  shouldStop: boolean;
  shouldSave: boolean;
  shouldEvaluate: boolean;
  shouldLog: boolean;
}

/** What every callback is given. The state is the trainer's own: read it, do not change it. */
export interface TrainerEvent {
  readonly args: TrainingArguments;
  readonly state: Readonly<TrainerState>;
  readonly control: TrainerControl;
}

/** Functions that are called as a run goes on; each may be async, and is waited for. */
export interface TrainerCallback {
  onTrainBegin?(event: TrainerEvent): void | Promise<void>;
  /** After each optimizer step. */
  onStepEnd?(event: TrainerEvent): void | Promise<void>;
  onEpochEnd?(event: TrainerEvent): void | Promise<void>;
  onLog?(event: TrainerEvent & { readonly logs: LogEntry }): void | Promise<void>;
  onEvaluate?(event: TrainerEvent & { readonly metrics: Metrics }): void | Promise<void>;
  /** After a checkpoint is whole. `checkpoint` is its path. */
  onSave?(event: TrainerEvent & { readonly checkpoint: string }): void | Promise<void>;
  onTrainEnd?(event: TrainerEvent): void | Promise<void>;
}

/** Calls one function of each callback, one after another. */
export async function notify<Name extends keyof TrainerCallback>(
  callbacks: readonly TrainerCallback[],
  name: Name,
  event: Parameters<NonNullable<TrainerCallback[Name]>>[0],
): Promise<void> {
  for (const callback of callbacks) await callback[name]?.(event as never);
}
