import { checkOptions } from '@burin/tensor';

/** The factor on the learning rate of each update, counted from 0. */
export type Schedule = (step: number) => number;

/** Steps over which the factor grows from 0. */
export interface WarmupOptions {
  /** Updates over which the factor grows from 0 to 1 in equal steps. Default 0. */
  warmupSteps?: number;
}

/** A warmup, then a way down. */
export interface DecayOptions extends WarmupOptions {
  /** Updates of the whole run, warmup included. */
  totalSteps: number;
}

/** A warmup, then half a cosine. */
export interface CosineOptions extends DecayOptions {
  /** Waves of the cosine between warmup and end. Default 0.5: from 1 down to 0 once. */
  cycles?: number;
}

/**
 * Stays at 1 after the warmup.
 *
 * @throws RangeError if `warmupSteps` is not a whole number of 0 or more, or an option is unknown
 * @see transformers `get_constant_schedule_with_warmup`
 */
export function constantSchedule(options: WarmupOptions = {}): Schedule {
  checkOptions('constantSchedule', options, ['warmupSteps']);
  const warmup = warmupOf('constantSchedule', options);
  return (step) => (step < warmup ? step / warmup : 1);
}

/**
 * Falls from 1 to 0 in equal steps after the warmup, and stays at 0.
 *
 *     max(0, (totalSteps − step) / (totalSteps − warmupSteps))
 *
 * @throws RangeError if a number of steps is not a whole number of 0 or more, or an option is unknown
 * @see transformers `get_linear_schedule_with_warmup`
 */
export function linearSchedule(options: DecayOptions): Schedule {
  checkOptions('linearSchedule', options, ['warmupSteps', 'totalSteps']);
  const warmup = warmupOf('linearSchedule', options);
  const total = countOf('linearSchedule', 'totalSteps', options.totalSteps);
  const decay = Math.max(1, total - warmup);
  return (step) => (step < warmup ? step / warmup : Math.max(0, (total - step) / decay));
}

/**
 * Falls from 1 to 0 along half a cosine after the warmup. Past the end it rises again, as transformers' does.
 *
 *     max(0, ½ (1 + cos(2π · cycles · progress))),   progress = (step − warmupSteps) / (totalSteps − warmupSteps)
 *
 * @throws RangeError if a number of steps is not a whole number of 0 or more, `cycles` is not greater than 0, or an option
 *   is unknown
 * @see transformers `get_cosine_schedule_with_warmup`; Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983
 */
export function cosineSchedule(options: CosineOptions): Schedule {
  checkOptions('cosineSchedule', options, ['warmupSteps', 'totalSteps', 'cycles']);
  const { cycles = 0.5 } = options;
  if (!(cycles > 0)) throw new RangeError(`cosineSchedule: cycles must be greater than 0, got ${cycles}`);
  const warmup = warmupOf('cosineSchedule', options);
  const decay = Math.max(1, countOf('cosineSchedule', 'totalSteps', options.totalSteps) - warmup);
  return (step) => {
    if (step < warmup) return step / warmup;
    const progress = (step - warmup) / decay;
    return Math.max(0, 0.5 * (1 + Math.cos(2 * Math.PI * cycles * progress)));
  };
}

/** Hugging Face's names, as `lrSchedulerType` has them. */
export type ScheduleName = 'constant' | 'constant_with_warmup' | 'linear' | 'cosine';

/**
 * A schedule by its Hugging Face name. As there, `constant` knows no warmup, and asks for none to be given.
 *
 * @throws RangeError for a name or an option that there is not, for warmup steps that `constant` would ignore, or where the
 *   schedule itself refuses its options
 * @example
 * getSchedule('linear', { warmupSteps: 10, totalSteps: 100 })(55); // 0.5
 */
export function getSchedule(name: ScheduleName, options: WarmupOptions & { totalSteps?: number } = {}): Schedule {
  checkOptions('getSchedule', options, ['warmupSteps', 'totalSteps']);
  const { warmupSteps = 0, totalSteps = Number.NaN } = options;
  switch (name) {
    case 'constant':
      if (warmupSteps === 0) return constantSchedule();
      throw new RangeError(
        `getSchedule: constant has no warmup, got warmupSteps ${warmupSteps}; use constant_with_warmup`,
      );
    case 'constant_with_warmup':
      return constantSchedule({ warmupSteps });
    case 'linear':
      return linearSchedule({ warmupSteps, totalSteps });
    case 'cosine':
      return cosineSchedule({ warmupSteps, totalSteps });
    default:
      throw new RangeError(
        `getSchedule: expected constant, constant_with_warmup, linear or cosine, got ${String(name satisfies never)}`,
      );
  }
}

function warmupOf(who: string, { warmupSteps = 0 }: WarmupOptions): number {
  return countOf(who, 'warmupSteps', warmupSteps);
}

function countOf(who: string, name: string, count: number): number {
  if (Number.isInteger(count) && count >= 0) return count;
  throw new RangeError(`${who}: ${name} must be a whole number of 0 or more, got ${count}`);
}
