import type { Parameter } from '@burin/nn';
import { keep, scope, type Tensor } from '@burin/tensor';

/**
 * Biases of the base that one adapter trains in place. The values from before are kept, so that the base can be had back
 * to the bit while adapters are disabled, and when they are taken off.
 */
export class TrainedBiases {
  readonly adapter: string;
  /** By dotted name in the wrapped model. */
  readonly parameters: ReadonlyMap<string, Parameter>;
  #other = new Map<Parameter, Tensor>(); // the values that are not in the parameter now
  #showsTrained = true;

  constructor(adapter: string, parameters: ReadonlyMap<string, Parameter>, trainable: boolean) {
    this.adapter = adapter;
    this.parameters = parameters;
    this.setTrainable(trainable);
    for (const parameter of parameters.values()) this.#other.set(parameter, copyOf(parameter));
  }

  /** Puts the trained values into the parameters, or those of the base. */
  show(trained: boolean): void {
    if (trained === this.#showsTrained) return;
    this.#showsTrained = trained;
    for (const [parameter, other] of this.#other) {
      const before = copyOf(parameter);
      parameter.copy_(other);
      other.dispose();
      this.#other.set(parameter, before);
    }
  }

  /** The trained values by dotted name, wherever they are now. */
  values(): Map<string, Tensor> {
    return new Map(
      [...this.parameters].map(([name, parameter]) => [
        name,
        this.#showsTrained ? parameter : this.#other.get(parameter)!,
      ]),
    );
  }

  setTrainable(trainable: boolean): void {
    for (const parameter of this.parameters.values()) parameter.requiresGrad = trainable;
  }

  /** Frees the values that are not in use. */
  dispose(): void {
    for (const other of this.#other.values()) other.dispose();
    this.#other.clear();
  }
}

function copyOf(parameter: Parameter): Tensor {
  return keep(scope(() => parameter.detach().clone()));
}
