export type { BackendName } from './backend.js';
export { GpuDevice } from './device.js';
export type { GpuOptions } from './open.js';
export { gpu } from './open.js';
