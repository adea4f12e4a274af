export type { Tolerance } from './compare.js';
export { EXACT, expectClose, ulpDistance } from './compare.js';
export type { DeviceName } from './devices.js';
export { devices } from './devices.js';
export type { Fixture, FixtureManifest } from './fixtures.js';
export { fixtureCases, readFixture } from './fixtures.js';
export { dot, numericGradient } from './numeric-gradient.js';
export type { SeededRandom } from './seeded-random.js';
export { seededRandom } from './seeded-random.js';
