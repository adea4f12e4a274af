import { devices, expectClose, type Fixture } from '@burin/testing';

/** The devices, and the float64 reference itself: what golden numbers check. */
export const runners = ['reference', ...devices] as const;

/** Compares each array with the fixture's tensor of that name, as closely as its manifest asks. */
export function expectGolden(fixture: Fixture, actual: Readonly<Record<string, ArrayLike<number>>>): void {
  for (const [name, values] of Object.entries(actual)) {
    const isBytes = fixture.manifest.tensors[name]?.dtype === 'U8';
    const expected = isBytes ? fixture.bytes(name) : fixture.floats(name);
    expectClose(values, expected, fixture.tolerance(name), `${fixture.manifest.name}: ${name}`);
  }
}
