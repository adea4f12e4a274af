import {
  attentionWeights,
  fromPackedProjection,
  MultiHeadAttention,
  scaledDotProductAttention,
} from '@burin/attention';
import { Linear, Parameter } from '@burin/nn';
import { cat, type Tensor } from '@burin/tensor';
import {
  type DeviceName,
  devices,
  expectFixture,
  type Fixture,
  fixtureCases,
  fixtureTensor,
  readFixture,
} from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** The options that a case of the fixtures asks for. */
function optionsOf(fixture: Fixture, bias: Tensor | null, device: DeviceName) {
  const { scale, causal, sliding_window, query_offset } = fixture.manifest.config as {
    scale: number | null;
    causal: boolean;
    sliding_window: number | null;
    query_offset: number;
  };
  return {
    layout: 'bhtd' as const,
    scale,
    causal,
    window: sliding_window,
    queryOffset: query_offset,
    keyPaddingMask: fixture.has('key_padding_mask') ? fixtureTensor(fixture, 'key_padding_mask', { device }) : null,
    bias,
  };
}

/** [B, H, T, D] to [B, T, H, D] and back: a leaf in the other layout. */
function swapped(x: Tensor): Tensor {
  const y = x.detach().permute([0, 2, 1, 3]);
  y.requiresGrad = true;
  return y;
}

describe.each(devices)('attention on %s agrees with PyTorch', (device) => {
  const cases = fixtureCases('attention').filter((name) => name.startsWith('sdpa_'));

  it('in many cases', () => expect(cases.length).toBeGreaterThanOrEqual(16));

  it.each(cases)('%s', async (name) => {
    const fixture = readFixture('attention', name);
    const leaf = (key: string) => fixtureTensor(fixture, key, { device, requiresGrad: true });
    const [q, k, v] = [leaf('q'), leaf('k'), leaf('v')];
    const bias = fixture.has('bias') ? leaf('bias') : null;
    const out = scaledDotProductAttention(q, k, v, optionsOf(fixture, bias, device));
    out.backward(fixtureTensor(fixture, 'd_out', { device }));
    await expectFixture(fixture, 'out', out);
    await expectFixture(fixture, 'grad.q', q.grad);
    await expectFixture(fixture, 'grad.k', k.grad);
    await expectFixture(fixture, 'grad.v', v.grad);
    if (bias) await expectFixture(fixture, 'grad.bias', bias.grad);
  });

  it.each(cases)('%s in layout bthd', async (name) => {
    const fixture = readFixture('attention', name);
    const [q, k, v] = ['q', 'k', 'v'].map((key) => swapped(fixtureTensor(fixture, key, { device }))) as [
      Tensor,
      Tensor,
      Tensor,
    ];
    const bias = fixture.has('bias') ? fixtureTensor(fixture, 'bias', { device }) : null;
    const out = scaledDotProductAttention(q, k, v, { ...optionsOf(fixture, bias, device), layout: 'bthd' });
    out.backward(swapped(fixtureTensor(fixture, 'd_out', { device })).detach());
    await expectFixture(fixture, 'out', swapped(out));
    for (const [key, leaf] of Object.entries({ q, k, v })) {
      await expectFixture(fixture, `grad.${key}`, swapped(leaf.grad!));
    }
  });

  it.each(cases)('%s by explicit probabilities', async (name) => {
    const fixture = readFixture('attention', name);
    const [q, k, v] = ['q', 'k', 'v'].map((key) => fixtureTensor(fixture, key, { device })) as [Tensor, Tensor, Tensor];
    const bias = fixture.has('bias') ? fixtureTensor(fixture, 'bias', { device }) : null;
    const weights = attentionWeights(q, k, optionsOf(fixture, bias, device)); // [B, H, T, S]
    const [B, K, S, Dv] = v.shape as [number, number, number, number];
    const [, H, T] = weights.shape as [number, number, number];
    const out = weights.reshape([B, K, (H / K) * T, S]).matmul(v); // each key head serves H / K query heads
    await expectFixture(fixture, 'out', out.reshape([B, H, T, Dv]));
  });

  it('mha_module', async () => {
    const fixture = readFixture('attention', 'mha_module');
    const parameter = (name: string) => new Parameter(fixtureTensor(fixture, name, { device }));
    const attention = new MultiHeadAttention({
      ...fromPackedProjection(parameter('in_proj_weight'), parameter('in_proj_bias')),
      oProj: Linear.from(parameter('out_proj.weight'), parameter('out_proj.bias')),
      heads: fixture.number('n_heads'),
    });
    const query = fixtureTensor(fixture, 'query', { device, requiresGrad: true });
    const memory = fixtureTensor(fixture, 'memory', { device, requiresGrad: true });
    const keyPaddingMask = fixtureTensor(fixture, 'key_padding_mask', { device });

    const out = attention.forward(query, { memory, keyPaddingMask });
    out.backward(fixtureTensor(fixture, 'd_out', { device }));
    await expectFixture(fixture, 'out', out);
    await expectFixture(fixture, 'attn_weights', attention.attentionWeights(query, { memory, keyPaddingMask }));
    await expectFixture(fixture, 'grad.query', query.grad);
    await expectFixture(fixture, 'grad.memory', memory.grad);
    const { qProj, kProj, vProj, oProj } = attention as unknown as Record<string, Linear>;
    const packed = [qProj!, kProj!, vProj!];
    await expectFixture(fixture, 'grad.in_proj_weight', cat(packed.map(({ weight }) => weight.grad!)));
    await expectFixture(fixture, 'grad.in_proj_bias', cat(packed.map(({ bias }) => bias!.grad!)));
    await expectFixture(fixture, 'grad.out_proj.weight', oProj!.weight.grad);
    await expectFixture(fixture, 'grad.out_proj.bias', oProj!.bias!.grad);
  });
});
