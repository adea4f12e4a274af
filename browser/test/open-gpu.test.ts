import { gpu } from '@burin/tensor/gpu';
import { expect, it } from 'vitest';

const backend = process.env.BURIN_GPU as 'webgl2' | 'webgpu';

it('calls at once get one device, as effects do that a page runs twice', async () => {
  const [first, second] = await Promise.all([gpu({ backend }), gpu({ backend })]);
  expect(second).toBe(first);
});
