import type { Module, Parameter } from '@burin/nn';
import { matchesName } from './match.js';
import type { TaskType } from './options.js';

/** Names of layers that turn hidden states into the model's answer: left out of `'all-linear'`. */
const OUTPUT_HEADS = ['lm_head', 'embed_out', 'score', 'classifier'];

/** Names of the head that a task brings, as PEFT knows them. */
const TASK_HEADS: Readonly<Partial<Record<TaskType, readonly string[]>>> = {
  SEQ_CLS: ['classifier', 'score'],
  TOKEN_CLS: ['classifier', 'score'],
  QUESTION_ANS: ['qa_outputs'],
};

/** Names of modules that a task trains along with the adapter: a new head. A model has one of them. */
export function taskHeads(taskType: TaskType | null): readonly string[] {
  return (taskType && TASK_HEADS[taskType]) ?? [];
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
