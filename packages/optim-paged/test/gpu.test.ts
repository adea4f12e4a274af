import { AdamW, type PagingOptions } from '@burin/optim-paged';
import type { Device } from '@burin/tensor';
import { gpuBackends } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { free, parameters, setGradients, values } from './support.js';

const SIZES = [37, 5, 64, 130];
const STEPS = 6;
const PAGE_BYTES = 256;

/** Trains under a budget that holds `pages` pages of state beside everything else; null: no budget. */
async function train(device: Device, options: PagingOptions, pages: number | null) {
  const params = parameters(SIZES, 7, device);
  const optimizer = new AdamW(params, { lr: 0.05, weightDecay: 0.1, ...options });
  for (let step = 0; step < STEPS; step++) {
    setGradients(params, step);
    const others = device.memory.liveBytes - optimizer.paging.deviceBytes;
    if (pages !== null) device.memory.budget = others + pages * PAGE_BYTES;
    await optimizer.step();
    if (pages !== null) device.memory.free(device.memory.allocate(pages * PAGE_BYTES)); // the next forward pass wants it all
    device.memory.budget = Number.POSITIVE_INFINITY;
  }
  const after = await values(params);
  const { pagesOut, pagesIn } = optimizer.paging;
  optimizer.dispose();
  free(params);
  return { after, pagesOut, pagesIn };
}

describe.each(await gpuBackends())('paged state on $name $missing', ({ device }) => {
  it.skipIf(!device)('gives the bits of the unpaged run, and leaves nothing behind', async () => {
    const before = device!.memory.liveBytes;
    const whole = await train(device!, {}, null);
    const paged = await train(device!, { pageBytes: PAGE_BYTES }, 3);
    expect(paged.pagesOut).toBeGreaterThan(0);
    expect(paged.pagesIn).toBeGreaterThan(0);
    expect(paged.after).toEqual(whole.after);
    expect(device!.memory.liveBytes).toBe(before);
  });
});
