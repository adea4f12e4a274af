import type { Parameter } from '@burin/nn';
import { NotTrainedError } from '../errors.js';
import type { TrainableModel } from '../model.js';
import { trainableParameters } from '../model.js';

/** A LoRA layer's second matrix, which starts at zero: `lora_B` in PEFT's spelling. */
const LORA_B = /(^|\.)lora_b(\.|$)/i;

/**
 * Checks that training trains: before the first step that has a learning rate every trainable parameter must have a
 * gradient, and after it every `lora_B` must have moved.
 */
export class FirstStepCheck {
  #loraB: [name: string, parameter: Parameter, before: Uint8Array][] = [];

  /** @throws NotTrainedError naming the parameters that got no gradient */
  async before(model: TrainableModel): Promise<void> {
    const trainable = trainableParameters(model);
    const without = trainable.filter(([, { grad }]) => grad === null).map(([name]) => name);
    if (without.length > 0) {
      throw new NotTrainedError(
        `Trainer: every trainable parameter must get a gradient: got none for ${list(without)} of ${trainable.length}; ` +
          'the loss does not depend on them: is a tensor detached, or the layer unused? If they are not to be trained, ' +
          'set requiresGrad = false',
        without,
      );
    }
    for (const [name, parameter] of trainable) {
      if (LORA_B.test(name)) this.#loraB.push([name, parameter, await parameter.bytes()]);
    }
  }

  /** @throws NotTrainedError naming each `lora_B` that is as it was */
  async after(): Promise<void> {
    const still: string[] = [];
    for (const [name, parameter, before] of this.#loraB) {
      const now = await parameter.bytes();
      if (now.every((byte, i) => byte === before[i])) still.push(name);
    }
    this.#loraB = [];
    if (still.length === 0) return;
    throw new NotTrainedError(
      `Trainer: every lora_B must move in the first step: ${list(still)} did not; ` +
        'is it among the parameters of the optimizer, and does its layer come up in the loss?',
      still,
    );
  }
}

/**
 * Checks in each step that what the run began to train is still part of the model: a layer that is exchanged meanwhile
 * takes its parameters with it, and training goes on without effect.
 */
export class StillThereCheck {
  #began: ReturnType<typeof trainableParameters> | null = null;

  /** @throws NotTrainedError naming the parameters that are gone */
  check(model: TrainableModel): void {
    this.#began ??= trainableParameters(model);
    const now = new Set<unknown>(model.parameters());
    const gone = this.#began.filter(([, parameter]) => !now.has(parameter)).map(([name]) => name);
    if (gone.length === 0) return;
    throw new NotTrainedError(
      `Trainer: what is trained must stay in the model: ${list(gone)} of ${this.#began.length} are gone; ` +
        'was a layer exchanged during the run, by a function that was not awaited?',
      gone,
    );
  }
}

function list(names: readonly string[]): string {
  return names.slice(0, 5).join(', ') + (names.length > 5 ? ` and ${names.length - 5} more` : '');
}
