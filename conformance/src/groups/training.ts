import { type CausalModel, fromPretrained } from '@burin/models';
import { clipGradNorm_ } from '@burin/norm';
import { noGrad, type Tensor } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import { type Outcome, read } from '../outcome.js';
import { batchOf, checkPlan, inputOf } from './batch.js';
import { optimizerOf } from './optimizer-of.js';

/** Fine-tuning of all weights: losses, norms of gradients before they are clipped, and what comes of it. */
export async function training(c: Case): Promise<Outcome> {
  const model = (await fromPretrained(c.folder)) as unknown as CausalModel;
  try {
    const values = await train(c, model);
    const { logits, ...weights } = await read(() => ({
      logits: noGrad(() => model.forward(inputOf(c, 0)).logits),
      ...Object.fromEntries([...model.namedParameters()].map(([name, weight]) => [`final.${name}`, weight.clone()])),
    }));
    const mask = batchOf(c, 'attention_mask', 0); // padding does not count
    return { tensors: { ...weights, 'final.logits': { ...logits!, mask } }, values };
  } finally {
    model.zeroGrad();
    model.dispose();
  }
}

async function train(c: Case, model: CausalModel): Promise<Record<string, number[]>> {
  const table = c.config.table('optimizer');
  checkPlan(c, table);
  const decayed = table.text('decay_applies_to', 'all parameters');
  if (decayed !== 'all parameters') throw new Unsupported(`weight decay of ${decayed}`);
  const parameters = [...model.parameters()];
  const optimizer = optimizerOf(table, table.text('name'), parameters);
  const losses: number[] = [];
  const norms: number[] = [];
  for (let step = 0; step < c.config.number('steps'); step++) {
    optimizer.zeroGrad();
    const { loss, norm } = await read(() => {
      const { loss } = model.forward(inputOf(c, step % c.config.number('batches')));
      loss!.backward();
      return { loss, norm: clipped(c, parameters) };
    });
    losses.push(loss!.data[0]!);
    norms.push(norm!.data[0]!);
    await optimizer.step();
  }
  optimizer.dispose();
  return { losses, grad_norms_before_clipping: norms };
}

/** Clips where the case says so; the norm that there was. */
function clipped({ config }: Case, parameters: readonly Tensor[]): Tensor {
  return clipGradNorm_(parameters, config.has('max_grad_norm') ? config.number('max_grad_norm') : Infinity);
}
