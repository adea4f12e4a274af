export { HubError } from './errors.js';
export { hubFolder } from './hub-folder.js';
export type { HubOptions } from './options.js';
