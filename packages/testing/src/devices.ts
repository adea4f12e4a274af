/** Every device that the tests run on: `describe.each(devices)('softmax on %s', (device) => …)`. */
export const devices = ['cpu'] as const;

export type DeviceName = (typeof devices)[number];
