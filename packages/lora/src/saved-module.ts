import { Module } from '@burin/nn';
import type { AdapterSwitch } from './adapter-switch.js';
import { cloneModule } from './clone-module.js';

type Forward = (...inputs: unknown[]) => unknown;

/**
 * A module of which adapters have full copies of their own (PEFT's `modules_to_save`). The copy of the active adapter
 * runs; without one, or while adapters are disabled, the original does.
 */
export class SavedModule extends Module {
  originalModule: Module;
  readonly modulesToSave = new Map<string, Module>();
  readonly adapters: AdapterSwitch;

  constructor(original: Module, adapters: AdapterSwitch) {
    super();
    this.originalModule = original;
    this.adapters = adapters;
    this.training = original.training;
  }

  /** The module that runs now. */
  get current(): Module {
    const { active, enabled } = this.adapters;
    const name = enabled ? active.find((adapter) => this.modulesToSave.has(adapter)) : undefined;
    return name === undefined ? this.originalModule : this.modulesToSave.get(name)!;
  }

  /** Takes and gives what the module does that it stands for. @throws RangeError if it is a copy that lacks private fields */
  forward(...inputs: unknown[]): unknown {
    const { current } = this;
    try {
      return (current as Module & { forward: Forward }).forward(...inputs);
    } catch (cause) {
      if (current === this.originalModule || !(cause instanceof TypeError && /private/.test(cause.message)))
        throw cause;
      throw new RangeError(
        `modulesToSave: a module must have no #private fields, which a copy cannot have: got ${current.constructor.name}; ` +
          'name parts of it instead',
        { cause },
      );
    }
  }

  /** The weight of the module that runs now: for models that read the weight of their embedding or head. */
  get weight(): unknown {
    return (this.current as Module & { weight?: unknown }).weight;
  }

  /** Copies the original for an adapter. */
  addAdapter(name: string, { trainable }: { trainable: boolean }): void {
    const copy = cloneModule(this.originalModule).requiresGrad_(trainable);
    this.modulesToSave.set(name, copy.train(this.training));
  }

  /** Frees an adapter's copy. */
  removeAdapter(name: string): void {
    this.modulesToSave.get(name)?.dispose();
    this.modulesToSave.delete(name);
  }
}
