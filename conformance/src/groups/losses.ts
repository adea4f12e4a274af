import { bceWithLogits, type CrossEntropyOptions, crossEntropy, klDiv, mse, type Reduction } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import { gradients, type Outcome, read } from '../outcome.js';

type Runner = (c: Case) => Record<string, Tensor | null>;

/** By what the case expects, the most telling tensor first. */
const RUNNERS: readonly (readonly [expected: string, runner: Runner])[] = [
  ['loss_pos_weight', binaryCrossEntropy],
  ['loss_num_items', causalLanguageModel],
  ['loss_batchmean', distillation],
  ['loss_mean', squaredError],
  ['loss', plainCrossEntropy],
];

/** Loss functions and their gradients. */
export async function losses(c: Case): Promise<Outcome> {
  const runner = RUNNERS.find(([expected]) => c.has(expected))?.[1];
  if (!runner) throw new Unsupported(`a loss that gives ${Object.keys(c.manifest.tensors).join(', ')}`);
  return { tensors: await read(() => runner(c)) };
}

function plainCrossEntropy(c: Case): Record<string, Tensor | null> {
  const logits = c.leaf('logits');
  const loss = crossEntropy(logits, c.tensor('labels'), crossEntropyOptions(c));
  loss.backward(c.has('d_loss') ? c.tensor('d_loss') : undefined);
  return { loss, ...gradients({ logits }) };
}

function crossEntropyOptions(c: Case): CrossEntropyOptions {
  return {
    ignoreIndex: c.config.number('ignore_index', -100),
    labelSmoothing: c.config.number('label_smoothing', 0),
    reduction: c.config.text('reduction', 'mean') as Reduction,
    classWeight: c.has('class_weight') ? c.tensor('class_weight') : null,
  };
}

/** Logits at t are for the label at t + 1. */
function causalLanguageModel(c: Case): Record<string, Tensor | null> {
  const [logits, labels] = [c.leaf('logits'), c.tensor('labels')];
  const places = labels.shape[1]! - 1;
  const entropy = (reduction: Reduction) =>
    crossEntropy(logits.narrow(1, 0, places), labels.narrow(1, 1, places), { reduction });
  const loss = entropy('mean');
  loss.backward();
  const shared = entropy('sum').div(c.config.number('num_items_in_batch'));
  return { loss, loss_num_items: shared, ...gradients({ logits }) };
}

function binaryCrossEntropy(c: Case): Record<string, Tensor | null> {
  const [logits, target] = [c.leaf('logits'), c.tensor('target')];
  const loss = bceWithLogits(logits, target);
  loss.backward();
  const weighted = bceWithLogits(logits, target, { posWeight: c.tensor('pos_weight') });
  return { loss, loss_pos_weight: weighted, ...gradients({ logits }) };
}

function distillation(c: Case): Record<string, Tensor | null> {
  const [student, teacher] = [c.leaf('student_logits'), c.tensor('teacher_logits')];
  const loss = klDiv(student, teacher);
  loss.backward();
  const softened = klDiv(student, teacher, { temperature: c.config.number('temperature') });
  return { loss_batchmean: loss, loss_distillation: softened, ...gradients({ student_logits: student }) };
}

function squaredError(c: Case): Record<string, Tensor | null> {
  const [input, target] = [c.leaf('input'), c.tensor('target')];
  const loss = mse(input, target);
  loss.backward();
  return { loss_mean: loss, loss_sum: mse(input, target, { reduction: 'sum' }), ...gradients({ input }) };
}
