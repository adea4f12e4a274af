import type { Schedule } from './schedules.js';

/** What a scheduler steers: an optimizer, or anything else with parameter groups. */
export interface ScheduledOptimizer {
  readonly paramGroups: readonly { lr: number; initialLr?: number }[];
}

/** Where a {@link LearningRateScheduler} stands: plain data for a checkpoint. */
export interface SchedulerState {
  /** Calls of `step()` so far. */
  readonly step: number;
}

/**
 * Sets the learning rate of each parameter group to its first one times `schedule(step)`: at once for step 0, and with
 * each `step()`, which is called after the optimizer's.
 *
 * A group's first learning rate is kept in the group as `initialLr`, and with it in the optimizer's state: a resumed run
 * loads the optimizer's state first, then the scheduler's.
 *
 * @example
 * const scheduler = new LearningRateScheduler(optimizer, linearSchedule({ warmupSteps: 10, totalSteps: 100 }));
 * await optimizer.step();
 * scheduler.step();
 */
export class LearningRateScheduler {
  readonly optimizer: ScheduledOptimizer;
  readonly schedule: Schedule;
  #step = 0;

  /** @throws TypeError if `schedule` is no function: a name, for one, is what `getSchedule` takes */
  constructor(optimizer: ScheduledOptimizer, schedule: Schedule) {
    if (typeof schedule !== 'function') {
      throw new TypeError(
        `LearningRateScheduler: expected a schedule such as linearSchedule({ totalSteps: 100 }), got ${String(schedule)}`,
      );
    }
    this.optimizer = optimizer;
    this.schedule = schedule;
    this.#apply();
  }

  /** The learning rate of each group, as the next update will use it. */
  get lastLr(): number[] {
    return this.optimizer.paramGroups.map((group) => group.lr);
  }

  step(): void {
    this.#step++;
    this.#apply();
  }

  stateDict(): SchedulerState {
    return { step: this.#step };
  }

  /** @throws RangeError if the step is not a whole number of 0 or more */
  loadStateDict({ step }: SchedulerState): void {
    if (!Number.isInteger(step) || step < 0) {
      throw new RangeError(`LearningRateScheduler: step must be a whole number of 0 or more, got ${step}`);
    }
    this.#step = step;
    this.#apply();
  }

  #apply(): void {
    const factor = this.schedule(this.#step);
    for (const group of this.optimizer.paramGroups) {
      group.initialLr ??= group.lr;
      group.lr = group.initialLr * factor;
    }
  }
}
