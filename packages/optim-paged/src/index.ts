export { Adam, type AdamHyperparameters, type AdamOptions, AdamW } from './adam.js';
export { LearningRateScheduler, type ScheduledOptimizer, type SchedulerState } from './learning-rate-scheduler.js';
export type { Optimizer } from './optimizer.js';
export type { PagingOptions } from './paging-options.js';
export type { PagingStatistics } from './paging-statistics.js';
export type { MaybeNamed, OptimizerParameters, ParameterGroup, ParameterGroupOptions } from './parameter-groups.js';
export {
  type CosineOptions,
  constantSchedule,
  cosineSchedule,
  type DecayOptions,
  getSchedule,
  linearSchedule,
  type Schedule,
  type ScheduleName,
  type WarmupOptions,
} from './schedules.js';
export { SGD, type SgdHyperparameters, type SgdOptions } from './sgd.js';
export type { OptimizerState, ParameterState } from './state-dict.js';
