import { type ActivationName, activationNames, activationOf, FeedForward, GatedFeedForward } from '@burin/ffn';
import { Linear, type Module } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import { gradients, type Outcome, read } from '../outcome.js';

/** Names that the fixtures have for what Hugging Face calls otherwise. */
const OTHER_NAMES: Readonly<Record<string, ActivationName>> = { gelu_erf: 'gelu', gelu_tanh: 'gelu_pytorch_tanh' };

/** Single activations, the classic block and the gated one, told apart by their weights. */
export async function ffn(c: Case): Promise<Outcome> {
  return { tensors: await read(() => runnerOf(c)(c)) };
}

function runnerOf(c: Case): (c: Case) => Record<string, Tensor | null> {
  if (c.has('fc1.weight')) return classic;
  return c.has('gate_proj.weight') ? gated : activations;
}

function activations(c: Case): Record<string, Tensor | null> {
  const results: Record<string, Tensor | null> = {};
  for (const name of [...activationNames, ...Object.keys(OTHER_NAMES)]) {
    const x = c.leaf('x');
    const out = activationOf(OTHER_NAMES[name] ?? name)(x);
    out.backward(c.tensor('d_out'));
    results[`${name}.out`] = out;
    results[`${name}.grad.x`] = x.grad;
  }
  return results;
}

function classic(c: Case): Record<string, Tensor | null> {
  const parts = { fc1: linearOf(c, 'fc1'), fc2: linearOf(c, 'fc2') };
  return block(c, new FeedForward({ ...parts, activation: activationName(c) }));
}

function gated(c: Case): Record<string, Tensor | null> {
  const parts = {
    gateProj: linearOf(c, 'gate_proj'),
    upProj: linearOf(c, 'up_proj'),
    downProj: linearOf(c, 'down_proj'),
  };
  return block(c, new GatedFeedForward({ ...parts, activation: activationName(c) }));
}

function block(c: Case, layer: Module & { forward(x: Tensor): Tensor }): Record<string, Tensor | null> {
  const x = c.leaf('x');
  const out = layer.forward(x);
  out.backward(c.tensor('d_out'));
  return { out, ...gradients({ x, ...Object.fromEntries(layer.namedParameters()) }) };
}

function linearOf(c: Case, name: string): Linear {
  const bias = c.has(`${name}.bias`) ? c.parameter(`${name}.bias`) : null;
  return Linear.from(c.parameter(`${name}.weight`), bias);
}

function activationName(c: Case): ActivationName {
  const name = c.config.text('activation');
  const known = OTHER_NAMES[name] ?? activationNames.find((other) => other === name);
  if (known) return known;
  throw new Unsupported(`the activation '${name}'`);
}
