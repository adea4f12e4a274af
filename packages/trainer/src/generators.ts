import type { Module } from '@burin/nn';
import { Generator, type GeneratorState } from '@burin/tensor';

/** Random generators by name. */
export type NamedGenerators = Readonly<Record<string, Generator>>;

/**
 * The generators that a model's modules hold in their fields (dropout's `rng`), each once under its first dotted name, and
 * those that the caller adds.
 */
export function findGenerators(model: Module, added: NamedGenerators = {}): Map<string, Generator> {
  const found = new Map<string, Generator>();
  const seen = new Set<Generator>();
  const take = (name: string, value: unknown) => {
    if (!(value instanceof Generator) || seen.has(value)) return;
    seen.add(value);
    found.set(name, value);
  };
  for (const [name, generator] of Object.entries(added)) take(name, generator);
  for (const [path, module] of model.namedModules()) {
    for (const [field, value] of Object.entries(module)) take(path === '' ? field : `${path}.${field}`, value);
  }
  return found;
}

/** Where each generator is in its stream. */
export function generatorStates(generators: ReadonlyMap<string, Generator>): Record<string, GeneratorState> {
  return Object.fromEntries([...generators].map(([name, generator]) => [name, generator.state]));
}

/** Puts each generator back to where it was. @throws RangeError if names or seeds differ */
export function restoreGenerators(
  generators: ReadonlyMap<string, Generator>,
  states: Readonly<Record<string, GeneratorState>>,
): void {
  const [own, given] = [[...generators.keys()].sort(), Object.keys(states).sort()];
  if (`${own}` !== `${given}`) {
    throw new RangeError(
      `Trainer: the checkpoint must have the random generators of this run: expected ${own.join(', ') || 'none'}, ` +
        `got ${given.join(', ') || 'none'}`,
    );
  }
  for (const [name, generator] of generators) {
    try {
      generator.restore(states[name]!);
    } catch (cause) {
      throw new RangeError(
        `Trainer: generator ${name}: ${cause instanceof Error ? cause.message : cause}; make the model with the seed of the first run`,
        { cause },
      );
    }
  }
}
