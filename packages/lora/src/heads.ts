import type { Module, Parameter } from '@burin/nn';
import { matchesName } from './match.js';
import type { TaskType } from './options.js';

/** Names of layers that turn hidden states into the model's answer: left out of `'all-linear'`. */
const OUTPUT_HEADS = ['lm_head', 'embed_out', 'score', 'classifier'];

/** Names of the head of a classifier, as PEFT knows them. */
const CLASSIFIER_HEADS = ['classifier', 'score'];

const CLASSIFICATION: readonly (TaskType | null)[] = ['SEQ_CLS', 'TOKEN_CLS'];

/** Names of modules that a task trains along with the adapter: a new head. Those that the model has not are no error. */
export function taskHeads(taskType: TaskType | null): readonly string[] {
  return CLASSIFICATION.includes(taskType) ? CLASSIFIER_HEADS : [];
}

/** Whether a Linear is an output head: by its name, or because it shares its weight with an embedding. */
export function isOutputHead(root: Module, name: string, module: Module): boolean {
  if (OUTPUT_HEADS.some((head) => matchesName(head, name))) return true;
  const { weight } = module as Module & { weight?: Parameter };
  return weight !== undefined && owners(root, weight) > 1;
}

function owners(root: Module, weight: Parameter): number {
  let count = 0;
  for (const [, module] of root.namedModules()) {
    if ((module as Module & { weight?: Parameter }).weight === weight) count++;
  }
  return count;
}
