import { cpu } from '@burin/tensor';
import { describe, expect, it } from 'vitest';
import { cases } from '../src/cases/index.js';
import { expectSamples, inputs } from '../src/cases/inputs.js';

/** Those that take a moment only; the whole list is for `pnpm bench`. */
const QUICK = ['product/nt 256x256x256', 'lora/tn 8x1024x512', 'overhead/forward+backward 1000 of 16'];

describe('cases', () => {
  it('have names of their own', () => {
    const names = cases.map(({ name, shape }) => `${name} ${shape}`);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9-]+\/[a-z0-9+-]+ \S/);
  });

  it.each(cases.filter(({ name, shape }) => QUICK.includes(`${name} ${shape}`)))(
    '$name pass their check, and free what a run makes',
    async (one) => {
      const { memory } = cpu();
      const before = memory.liveBytes;
      const prepared = await one.prepare();
      await prepared.check();
      prepared.run();
      const held = memory.liveBytes;
      prepared.run();
      expect(memory.liveBytes).toBe(held);
      prepared.dispose();
      expect(memory.liveBytes).toBe(before);
    },
  );

  it('notice a wrong result', async () => {
    const [x] = inputs([5]);
    const values = await x!.data();
    await expect(expectSamples(x!.clone(), (i) => values[i]!, 1e-6)).resolves.toBeUndefined();
    await expect(expectSamples(x!, (i) => values[i]! + Number(i === 4), 1e-6)).rejects.toThrow('element 4 is wrong');
  });
});
