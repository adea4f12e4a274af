import { type CausalModel, fromPretrained, generate, type PretrainedModel, savePretrained } from '@burin/models';
import { noGrad, scope, type Tensor, tensor } from '@burin/tensor';
import { EXACT, expectClose, seededRandom } from '@burin/testing';
import { expect } from 'vitest';

/** What every model with a head promises; `run` is one forward pass, the same each time. */
export type Run<M> = (model: M) => { logits: Tensor; loss: Tensor | null };

/** Written to a folder and read by its config.json, a model is of the same class, with the same names and numbers. */
export async function expectSameFromFolder<M extends PretrainedModel>(model: M, folder: string, run: Run<M>) {
  model.eval();
  await savePretrained(model, folder);
  const loaded = (await fromPretrained(folder)) as unknown as M;
  expect(loaded.constructor).toBe(model.constructor);
  expect([...loaded.namedParameters()].map(([name]) => name)).toEqual(
    [...model.namedParameters()].map(([name]) => name),
  );
  expectClose(await logitsOf(loaded, run), await logitsOf(model, run), EXACT);
  loaded.dispose();
}

async function logitsOf<M>(model: M, run: Run<M>): Promise<ArrayLike<number>> {
  const logits = noGrad(() => scope(() => run(model).logits));
  const values = await logits.data();
  logits.dispose();
  return values;
}

/** Generation is the same with the cache as without, and for each row of a batch as for the row alone. */
export async function expectSteadyGeneration(model: CausalModel, prompts: readonly (readonly number[])[]) {
  const options = { maxNewTokens: 9, eosTokenIds: [] };
  const batch = await generate(model, prompts, options);
  expect(await generate(model, prompts, { ...options, useCache: false })).toEqual(batch);
  for (const [r, prompt] of prompts.entries()) expect(await generate(model, [prompt], options)).toEqual([batch[r]]);
}

/**
 * The step that the loss is probed with along a direction of length 1: float32 rounds the loss by about 1e-7, which the
 * division makes 1e-4; the third derivative leaves about the step squared.
 */
const STEP = 2e-3;
/** Ten times what is left of the above, of gradients of about 1. */
const SLOPE = { rtol: 2e-2, atol: 1e-3 };

/** The gradient of each parameter is the slope of the loss along it and along another direction. */
export async function expectGradients<M extends PretrainedModel>(model: M, run: Run<M>) {
  model.eval();
  scope(() => run(model).loss!.backward());
  const random = seededRandom(3);
  for (const [name, parameter] of [...model.namedParameters()]) {
    expect(parameter.grad, `${name} has a gradient`).not.toBeNull();
    const gradient = Float64Array.from(await parameter.grad!.data());
    for (const direction of [unit(gradient), unit(Float64Array.from(random.uniform(gradient.length, -1, 1)))]) {
      const expected = gradient.reduce((sum, g, i) => sum + g * direction[i]!, 0);
      const slope = await slopeAlong(model, parameter, direction, run);
      expectClose([expected], [slope], SLOPE, name);
    }
  }
  model.zeroGrad();
}

function unit(vector: Float64Array): Float64Array {
  const length = Math.hypot(...vector) || 1;
  return vector.map((value) => value / length);
}

async function slopeAlong<M>(model: M, parameter: Tensor, direction: Float64Array, run: Run<M>): Promise<number> {
  const before = Float32Array.from(await parameter.data());
  const lossAt = async (step: number) => {
    const moved = before.map((value, i) => value + step * direction[i]!);
    noGrad(() => scope(() => parameter.copy_(tensor(moved, parameter.shape))));
    const loss = noGrad(() => scope(() => run(model).loss!));
    const value = await loss.item();
    loss.dispose();
    return value;
  };
  const slope = ((await lossAt(STEP)) - (await lossAt(-STEP))) / (2 * STEP);
  await lossAt(0);
  return slope;
}
