import { existsSync } from 'node:fs';
import { expect, it } from 'vitest';
import { readSettings } from '../src/settings.js';

it('starts from the model beside it, and takes what it is told', () => {
  expect(existsSync(`${readSettings([])!.base}/model.safetensors`)).toBe(true);
  expect(readSettings(['--', '--train', '32', '--device', 'gpu', '--backend', 'webgpu'])).toMatchObject({
    ...{ trainMails: 32, testMails: 500, device: 'gpu', backend: 'webgpu', json: null },
  });
});

it.each([
  [['--test', '501'], '--test: expected a whole number from 8 to 500, got 501'],
  [['--device', 'tpu'], '--device: expected cpu or gpu, got tpu'],
  [['--backend', 'webgpu'], "--backend is the GPU's: expected --device gpu beside it"],
])('refuses %o', (args, message) => {
  expect(() => readSettings(args)).toThrow(message);
});
