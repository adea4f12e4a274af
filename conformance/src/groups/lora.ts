import { applyLora, LoraLinear, type LoraModel } from '@burin/lora';
import { Conv1D, Linear, Module, mse, Parameter } from '@burin/nn';
import { Generator, type Tensor, zeros } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import { gradients, type Outcome, read } from '../outcome.js';
import { optimizerOf } from './optimizer-of.js';

/** A model of one layer. */
class OneLayer extends Module {
  base: Linear | Conv1D;

  constructor(base: Linear | Conv1D) {
    super();
    this.base = base;
  }
}

/** An adapter on one Linear: its product, its gradients and its merge, or its training. */
export async function lora(c: Case): Promise<Outcome> {
  if (c.config.flag('use_dora')) throw new Unsupported('LoRA with use_dora');
  const bias = c.has('base.bias') ? c.parameter('base.bias') : null;
  const adapted = adapt(c, baseOf(c, c.parameter('base.weight'), bias));
  return c.config.has('steps') ? trained(c, adapted) : computed(c, adapted);
}

/** A Linear, or where the weight is stored as `[in, out]` a Conv1D. */
function baseOf({ config }: Case, weight: Parameter, bias: Parameter | null = null): Linear | Conv1D {
  return config.flag('fan_in_fan_out') ? new Conv1D(weight, bias) : Linear.from(weight, bias);
}

interface Adapted {
  readonly model: LoraModel;
  readonly layer: LoraLinear;
  readonly loraA: Parameter;
  readonly loraB: Parameter;
}

function adapt(c: Case, base: Linear | Conv1D): Adapted {
  const { config } = c;
  const root = new OneLayer(base);
  const model = applyLora(root, {
    rank: config.number('r'),
    alpha: config.number('lora_alpha'),
    dropout: config.number('lora_dropout', 0),
    useRslora: config.flag('use_rslora'),
    targetModules: 'base',
    rng: new Generator(0),
  });
  const layer = root.base as Module;
  if (!(layer instanceof LoraLinear)) throw new TypeError('applyLora left the layer as it was');
  const [loraA, loraB] = [layer.lora_A, layer.lora_B].map((map) => map.get('default')!.weight) as [
    Parameter,
    Parameter,
  ];
  loraA.copy_(c.tensor('lora_A.weight'));
  loraB.copy_(c.tensor('lora_B.weight'));
  for (const parameter of [loraA, loraB]) c.own(parameter);
  return { model, layer, loraA, loraB };
}

async function computed(c: Case, { model, layer, loraA, loraB }: Adapted): Promise<Outcome> {
  const unmerged = await read(() => {
    const x = c.leaf('x');
    const out = layer.forward(x);
    out.backward(c.tensor('d_out'));
    return { out, ...gradients({ x, 'lora_A.weight': loraA, 'lora_B.weight': loraB }) };
  });
  await model.merge();
  const merged = await read(() => ({
    out_merged: layer.forward(c.tensor('x')),
    merged_weight: storedWeight(c, layer),
  }));
  model.unmerge();
  const delta = await read(() => ({ delta_weight: storedWeight(c, addedTo(c, layer.baseLayer as Linear | Conv1D)) }));
  return { tensors: { ...unmerged, ...merged, ...delta } };
}

/** The weight with the adapter in it, as the base stores its own. */
function storedWeight({ config }: Case, layer: LoraLinear): Tensor {
  const weight = layer.floatWeight();
  return config.flag('fan_in_fan_out') ? weight.transpose(0, 1) : weight.clone();
}

/** The same adapter on a base of zeros: its weight is what the adapter adds. */
function addedTo(c: Case, base: Linear | Conv1D): LoraLinear {
  const nothing = c.own(new Parameter(zeros(base.weight.shape)));
  return adapt(c, baseOf(c, nothing)).layer;
}

async function trained(c: Case, { model, layer, loraA, loraB }: Adapted): Promise<Outcome> {
  const { config } = c;
  const [x, y] = [c.tensor('x'), c.tensor('y')];
  const table = config.table('optimizer');
  const optimizer = optimizerOf(table, table.text('name'), [loraA, loraB]);
  const loss = () => mse(layer.forward(x), y);
  const losses: number[] = [];
  let firstStep: Record<string, HostTensor> = {};
  for (let step = 0; step < config.number('steps'); step++) {
    optimizer.zeroGrad();
    losses.push(await lossOf(() => backwarded(loss())));
    await optimizer.step();
    if (step === 0) firstStep = await adapterTensors('step1', loraA, loraB);
  }
  losses.push(await lossOf(loss));
  optimizer.dispose();
  const final = await adapterTensors('final', loraA, loraB);
  await model.merge();
  const merged = await read(() => ({ merged_weight: storedWeight(c, layer) }));
  model.unmerge();
  return { tensors: { ...firstStep, ...final, ...merged }, values: { losses } };
}

function backwarded(loss: Tensor): Tensor {
  loss.backward();
  return loss;
}

async function lossOf(body: () => Tensor): Promise<number> {
  const { loss } = await read(() => ({ loss: body() }));
  return loss!.data[0]!;
}

function adapterTensors(prefix: string, loraA: Parameter, loraB: Parameter): Promise<Record<string, HostTensor>> {
  return read(() => ({
    [`${prefix}.lora_A.weight`]: loraA.clone(),
    [`${prefix}.lora_B.weight`]: loraB.clone(),
  }));
}
