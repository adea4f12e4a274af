import { RotaryEmbedding, type RotaryOptions, type RotaryScaling } from '@burin/nn';
import {
  devices,
  expectClose,
  expectFixture,
  type Fixture,
  fixtureCases,
  fixtureTensor,
  readFixture,
} from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** The embedding that a case of the fixtures describes. */
function rotaryOf(fixture: Fixture): RotaryEmbedding {
  const config = fixture.manifest.config as {
    style: string;
    head_dim: number;
    rotary_dim?: number;
    rope_theta: number;
    rope_scaling?: Record<string, number | string> | null;
  };
  const options: RotaryOptions = { headDim: config.head_dim, theta: config.rope_theta };
  if (config.rotary_dim) options.rotaryDim = config.rotary_dim;
  if (config.rope_scaling) options.scaling = scalingOf(config.rope_scaling);
  return new RotaryEmbedding({ ...options, interleaved: config.style === 'interleaved' });
}

/** `rope_scaling` of a config.json in camelCase. */
function scalingOf({ rope_type, ...rest }: Record<string, number | string>): RotaryScaling {
  const camel = (name: string) => name.replace(/_[a-z]/g, (pair) => pair[1]!.toUpperCase());
  const fields = Object.entries(rest).map(([name, value]) => [camel(name), value]);
  return { type: rope_type, ...Object.fromEntries(fields) } as RotaryScaling;
}

describe.each(devices)('rotary embeddings of attention on %s agree with transformers', (device) => {
  const cases = fixtureCases('rope').filter((name) => name !== 'sinusoidal');

  it('in many cases', () => expect(cases.length).toBeGreaterThanOrEqual(5));

  it.each(cases)('%s', async (name) => {
    const fixture = readFixture('rope', name);
    const rotary = rotaryOf(fixture);
    const positions = fixtureTensor(fixture, 'position_ids', { device });
    const maxPosition = Math.max(...fixture.ints('position_ids'));
    const layout = String(fixture.manifest.config.layout).startsWith('[batch, seq') ? 'bthd' : 'bhtd';
    for (const key of ['q', 'k']) {
      const x = fixtureTensor(fixture, key, { device, requiresGrad: true });
      const turned = rotary.apply(x, positions, { layout, maxPosition });
      turned.backward(fixtureTensor(fixture, `d_${key}_out`, { device }));
      await expectFixture(fixture, `${key}_out`, turned);
      await expectFixture(fixture, `grad.${key}`, x.grad);
    }
    if (!fixture.has('inv_freq')) return;
    expectClose(rotary.frequencies, fixture.floats('inv_freq'), fixture.tolerance('inv_freq'));
  });
});
