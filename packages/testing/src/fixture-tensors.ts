import { type Tensor, type TensorOptions, tensor } from '@burin/tensor';
import { expectClose } from './compare.js';
import type { Fixture } from './fixtures.js';

/** A tensor of a fixture: float32, int32 or uint8 as it is stored. */
export function fixtureTensor(fixture: Fixture, name: string, options: Omit<TensorOptions, 'dtype'> = {}): Tensor {
  const dtype = fixture.manifest.tensors[name]?.dtype;
  const data = dtype === 'I32' ? fixture.ints(name) : dtype === 'U8' ? fixture.bytes(name) : fixture.floats(name);
  return tensor(data, fixture.shape(name), options);
}

/** Fails unless `actual` is what the fixture expects under `name`, within the tolerance of its manifest. */
export async function expectFixture(fixture: Fixture, name: string, actual: Tensor | null): Promise<void> {
  const label = `${fixture.manifest.group}/${fixture.manifest.name} ${name}`;
  const role = fixture.manifest.tensors[name]?.role;
  if (!role?.startsWith('expected')) throw new Error(`${label}: the manifest expects no such tensor (role ${role})`);
  if (!actual) throw new Error(`${label}: expected [${fixture.shape(name)}], got no tensor`);
  if (`${actual.shape}` !== `${fixture.shape(name)}`) {
    throw new Error(`${label}: expected [${fixture.shape(name)}], got [${actual.shape}]`);
  }
  expectClose(await actual.data(), fixture.floats(name), fixture.tolerance(name), label);
}
