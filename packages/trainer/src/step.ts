import { clipGradNorm_, gradNorm } from '@burin/norm';
import type { LearningRateScheduler } from '@burin/optim-paged';
import type { Device, Generator } from '@burin/tensor';
import { accumulateGradients, sumAndFree } from './accumulate.js';
import type { TrainingArguments } from './arguments.js';
import { diagnose } from './checks/diagnose.js';
import { FirstStepCheck, StillThereCheck } from './checks/training-trains.js';
import type { Window } from './data/windows.js';
import { generatorStates } from './generators.js';
import { type TrainableModel, trainableParameters } from './model.js';
import type { TrainerOptimizer } from './optimizer.js';

/** What changes in a step. */
export interface StepParts {
  readonly model: TrainableModel;
  readonly device: Device;
  readonly optimizer: TrainerOptimizer;
  readonly scheduler: LearningRateScheduler;
  readonly generators: ReadonlyMap<string, Generator>;
  readonly args: TrainingArguments;
}

/** Where a step stands in the run, for messages. */
export interface StepPlace {
  /** From 1. */
  readonly step: number;
  /** The last whole checkpoint. */
  readonly checkpoint: string | null;
}

/** Figures of a step. */
export interface StepFigures {
  /** Sum over the window's trained tokens, divided by their number. */
  readonly loss: number;
  /** Before clipping. */
  readonly gradNorm: number;
  readonly learningRate: number;
}

/** Takes optimizer steps, each on one window. Looks closely at the first one that has a learning rate. */
export class Stepper {
  readonly #parts: StepParts;
  readonly #stillThere = new StillThereCheck();
  #trains = false;

  constructor(parts: StepParts) {
    this.#parts = parts;
  }

  /**
   * Gradients of the window, clipped; the optimizer's step; the schedule's.
   *
   * @throws NonFiniteError, NotTrainedError before anything has changed; NotTrainedError for a `lora_B` after it
   */
  async step(window: Window, place: StepPlace): Promise<StepFigures> {
    const { model, device, optimizer, scheduler, generators, args } = this.#parts;
    this.#stillThere.check(model);
    const states = generatorStates(generators);
    const labelSmoothing = args.labelSmoothingFactor;
    const shares = accumulateGradients(model, window, device, labelSmoothing);
    const loss = await sumAndFree(shares);
    const norm = await this.#clip();
    if (!Number.isFinite(loss) || !Number.isFinite(norm)) {
      throw await diagnose({
        model,
        window,
        device,
        labelSmoothing,
        generators,
        states,
        loss,
        gradNorm: norm,
        ...place,
      });
    }
    const learningRate = Math.max(...optimizer.paramGroups.map(({ lr }) => lr));
    const check = this.#trains || learningRate === 0 ? null : new FirstStepCheck();
    await check?.before(model);
    await optimizer.step();
    await check?.after();
    if (check) this.#trains = true;
    scheduler.step();
    model.zeroGrad();
    return { loss, gradNorm: norm, learningRate };
  }

  /** Clips the gradients together; their norm before it. */
  async #clip(): Promise<number> {
    const parameters = trainableParameters(this.#parts.model).map(([, parameter]) => parameter);
    const { maxGradNorm } = this.#parts.args;
    const norm = maxGradNorm > 0 ? clipGradNorm_(parameters, maxGradNorm) : gradNorm(parameters);
    const value = await norm.item();
    norm.dispose();
    return value;
  }
}
