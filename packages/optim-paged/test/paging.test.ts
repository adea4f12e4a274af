import { AdamW, SGD } from '@burin/optim-paged';
import { cpu, scope } from '@burin/tensor';
import { describe, expect, it, vi } from 'vitest';
import { deviceAlwaysFull, free, parameters, setGradients, touchMemory, values, withBudget } from './support.js';

/** Four elements with two moments each. */
const PAGE = 32;
/** One page for each parameter. */
const SIX_PAGES = [4, 4, 4, 4, 4, 4];

/** Trains six parameters for a few steps; what comes out is independent of `paging`. */
async function train(steps: number, paging: object, afterStep: (optimizer: AdamW, step: number) => unknown = () => {}) {
  const params = parameters(SIX_PAGES, 1);
  const optimizer = new AdamW(params, paging);
  for (let step = 0; step < steps; step++) {
    setGradients(params, step);
    await optimizer.step();
    await afterStep(optimizer, step);
  }
  const result = { paging: optimizer.paging, values: await values(params), state: await optimizer.stateDict() };
  optimizer.dispose();
  free(params);
  return result;
}

describe('pages', () => {
  it('stay where they are while they fit', async () => {
    const { paging } = await train(3, { pageBytes: PAGE });
    expect(paging).toEqual({
      pagesIn: 0,
      pagesOut: 0,
      bytesIn: 0,
      bytesOut: 0,
      writeBacksAvoided: 0,
      waits: 0,
      waitMilliseconds: 0,
      pages: 6,
      stateBytes: 6 * PAGE,
      pagesOnDevice: 6,
      deviceBytes: 6 * PAGE,
      hostBytes: 0,
    });
  });

  it('move as few times as two pages of room allow, ahead of their turn', async () => {
    // The first step makes six pages and sends four out; each later one begins with the two that are there.
    const { paging } = await train(3, { pageBytes: PAGE, deviceBytes: 2 * PAGE });
    expect(paging).toMatchObject({ pagesIn: 4 + 4, pagesOut: 4 + 4 + 4, bytesIn: 8 * PAGE, bytesOut: 12 * PAGE });
    expect(paging).toMatchObject({ waits: 0, waitMilliseconds: 0, writeBacksAvoided: 0 });
    expect(paging).toMatchObject({ pages: 6, stateBytes: 6 * PAGE, pagesOnDevice: 2, deviceBytes: 2 * PAGE });
    expect(paging.hostBytes).toBe(4 * PAGE); // no stale copy of the two
  });

  it('are waited for where there is room for one only', async () => {
    const { paging } = await train(3, { pageBytes: PAGE, deviceBytes: PAGE });
    expect(paging).toMatchObject({ pagesIn: 5 + 5, pagesOut: 5 + 5 + 5, waits: 5 + 5 + 5, pagesOnDevice: 1 });
    expect(paging.waitMilliseconds).toBeGreaterThan(0);
  });

  it('respect the budget of the device as they do their own', async () => {
    let peak = 0;
    const plain = await train(3, { pageBytes: PAGE });
    const params = parameters(SIX_PAGES, 1);
    const optimizer = new AdamW(params, { pageBytes: PAGE });
    for (let step = 0; step < 3; step++) {
      setGradients(params, step);
      const others = cpu().memory.liveBytes - optimizer.paging.deviceBytes;
      cpu().memory.resetPeak();
      await withBudget(2 * PAGE - optimizer.paging.deviceBytes, () => optimizer.step());
      peak = Math.max(peak, cpu().memory.peakBytes - others);
    }
    expect(peak).toBe(2 * PAGE);
    expect(optimizer.paging).toMatchObject({ pagesIn: 8, pagesOut: 12, waits: 0, pagesOnDevice: 2 });
    expect(await values(params)).toEqual(plain.values);
    optimizer.dispose();
    free(params);
  });

  it('hold no memory for parameters that have had no gradient', async () => {
    const params = parameters([4, 1000, 4], 1);
    const optimizer = new AdamW(params, { pageBytes: PAGE });
    setGradients(params, 0, (i) => i === 1);
    await optimizer.step();
    expect(optimizer.paging).toMatchObject({ pages: 2, stateBytes: 2 * PAGE });
    optimizer.dispose();
    free(params);
  });

  it('are not brought in for parameters that have no gradient this time', async () => {
    const params = parameters(SIX_PAGES, 1);
    const optimizer = new AdamW(params, { pageBytes: PAGE, deviceBytes: 2 * PAGE });
    setGradients(params, 0);
    await optimizer.step(); // pages 4 and 5 stay
    const { pagesIn, pagesOut } = optimizer.paging;
    setGradients(params, 1, (i) => i < 4);
    await optimizer.step();
    expect(optimizer.paging).toMatchObject({ pagesIn, pagesOut });
    optimizer.dispose();
    free(params);
  });

  it('are as large as they are full', async () => {
    const params = parameters([5, 6], 1); // 11 elements, rounded up to 12
    const optimizer = new SGD(params, { momentum: 0.9 });
    setGradients(params, 0);
    await optimizer.step();
    expect(optimizer.paging).toMatchObject({ pages: 1, stateBytes: 12 * 4 });
    optimizer.dispose();
    free(params);
  });

  it('are none for SGD without momentum', async () => {
    const params = parameters([5, 6], 1);
    const optimizer = new SGD(params);
    setGradients(params, 0);
    await optimizer.step();
    expect(optimizer.paging).toMatchObject({ pages: 0, stateBytes: 0 });
    expect((await optimizer.stateDict()).state).toEqual({});
    optimizer.dispose();
    free(params);
  });
});

describe('pressure', () => {
  const ROOM = 3 * PAGE;

  it('sends least recently used pages out, only as many as are needed, and changes no number', async () => {
    const plain = await train(4, { pageBytes: PAGE });
    const pressed = await train(4, { pageBytes: PAGE }, async (optimizer, step) => {
      if (step !== 1) return;
      await withBudget(0, async () => touchMemory(ROOM));
      expect(optimizer.paging).toMatchObject({ pagesOut: 3, bytesOut: ROOM, pagesOnDevice: 3 });
    });
    expect(pressed.paging).toMatchObject({ pagesIn: 3, pagesOut: 3, pagesOnDevice: 6 });
    expect(pressed.values).toEqual(plain.values);
    expect(pressed.state).toEqual(plain.state);
  });

  it('takes the page whose turn was longest ago', async () => {
    const params = parameters(SIX_PAGES, 1);
    const optimizer = new AdamW(params, { pageBytes: PAGE });
    for (const step of [0, 1]) {
      setGradients(params, step);
      await optimizer.step(); // the second walks from page 5 to page 0
    }
    await withBudget(0, async () => touchMemory(PAGE));
    setGradients(params, 2, (i) => i === 5);
    await optimizer.step();
    expect(optimizer.paging).toMatchObject({ pagesOut: 1, pagesIn: 0, pagesOnDevice: 5 });
    optimizer.dispose();
    free(params);
  });

  it('in the middle of a step does not take the page that is being worked on', async () => {
    const plain = await train(2, { pageBytes: PAGE });
    const device = deviceAlwaysFull();
    const params = parameters(SIX_PAGES, 1, device);
    const optimizer = new AdamW(params, { pageBytes: PAGE });
    for (const step of [0, 1]) {
      setGradients(params, step);
      await optimizer.step();
    }
    expect(optimizer.paging.pagesOut).toBe(4 + 2 + 4); // in each step all but the last two, those with the gradients
    expect(await values(params)).toEqual(plain.values);
    optimizer.dispose();
    free(params);
  });

  it('drops pages that the host has a good copy of', async () => {
    const plain = await train(4, { pageBytes: PAGE });
    const pressed = await train(4, { pageBytes: PAGE }, async (optimizer, step) => {
      if (step !== 1) return;
      await optimizer.flush();
      expect(optimizer.paging).toMatchObject({ pagesOut: 6, pagesOnDevice: 6 });
      await withBudget(0, async () => touchMemory(ROOM));
      expect(optimizer.paging).toMatchObject({ pagesOut: 6, writeBacksAvoided: 3, pagesOnDevice: 3 });
    });
    expect(pressed.values).toEqual(plain.values);
    expect(pressed.state).toEqual(plain.state);
  });

  it('writes a page back again that was changed after it was copied', async () => {
    const plain = await train(4, { pageBytes: PAGE });
    const pressed = await train(4, { pageBytes: PAGE }, async (optimizer, step) => {
      if (step === 0) await optimizer.flush();
      if (step === 2) await withBudget(0, async () => touchMemory(6 * PAGE));
      if (step === 2) expect(optimizer.paging).toMatchObject({ pagesOut: 12, writeBacksAvoided: 0, pagesOnDevice: 0 });
    });
    expect(pressed.values).toEqual(plain.values);
    expect(pressed.state).toEqual(plain.state);
  });

  it('is not listened to after dispose()', async () => {
    const params = parameters([4], 1);
    const optimizer = new AdamW(params);
    const unsubscribe = vi.fn();
    const listening = vi.spyOn(cpu().memory, 'onPressure').mockReturnValue(unsubscribe);
    setGradients(params, 0);
    await optimizer.step();
    await optimizer.step();
    expect(listening).toHaveBeenCalledTimes(1);
    listening.mockRestore();
    optimizer.dispose();
    optimizer.dispose(); // a second time does nothing
    expect(unsubscribe).toHaveBeenCalledTimes(1);
    free(params);
  });
});

describe('memory', () => {
  it('is all given back', async () => {
    const before = cpu().memory.liveBytes;
    await train(3, { pageBytes: PAGE, deviceBytes: 3 * PAGE });
    expect(cpu().memory.liveBytes).toBe(before);
  });

  it('that a step inside a scope takes for pages is there after the scope', async () => {
    const plain = await train(2, { pageBytes: PAGE });
    const params = parameters(SIX_PAGES, 1);
    const optimizer = new AdamW(params, { pageBytes: PAGE });
    for (const step of [0, 1]) {
      setGradients(params, step);
      await scope(() => [optimizer.step()])[0];
    }
    expect(await values(params)).toEqual(plain.values);
    optimizer.dispose();
    free(params);
  });

  it('does not grow from step 2 to step 50', async () => {
    const live: number[] = [];
    await train(50, { pageBytes: PAGE, deviceBytes: 3 * PAGE }, () => live.push(cpu().memory.liveBytes));
    expect(live[49]).toBe(live[1]);
  });

  it('that cannot hold a page is an error before anything has changed, and names the budget that would do', async () => {
    const params = parameters(SIX_PAGES, 1);
    const optimizer = new AdamW(params, { pageBytes: PAGE });
    setGradients(params, 0);
    const before = await values(params);
    const needed = cpu().memory.liveBytes + PAGE;
    await withBudget(PAGE - 1, async () => {
      await expect(optimizer.step()).rejects.toThrow(
        `AdamW: a page of 32 bytes of optimizer state does not fit: ${needed - PAGE} of the device's budget of ` +
          `${needed - 1} bytes are in use; the smallest budget that would do is ${needed} bytes; ` +
          'raise device.memory.budget, free other tensors, or make pageBytes smaller',
      );
      expect((await optimizer.stateDict()).state).toEqual({});
    });
    expect(await values(params)).toEqual(before);
    await withBudget(PAGE, () => optimizer.step());
    const plain = await train(1, {});
    expect(await values(params)).toEqual(plain.values);
    optimizer.dispose();
    free(params);
  });
});
