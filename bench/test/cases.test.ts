import { cpu } from '@burin/tensor';
import { describe, expect, it, vi } from 'vitest';
import { cases } from '../src/cases/index.js';
import { expectSamples, inputs } from '../src/cases/inputs.js';

vi.mock('../src/cases/inputs.js', { spy: true });

/** Those that take a moment only; the whole list is for `pnpm bench`. */
const QUICK = [
  ...['product/nt 256x256x256', 'lora/tn 8x1024x512', 'row/softmax 4096x512', 'row/cross-entropy+backward 1024x4096'],
  ...['attention/forward+backward 1x8x512x64', 'nf4/dequantize 4096x4096', 'nf4/vector-float32 1x4096x4096'],
  ...['optimizer/adamw 1x4194304', 'overhead/forward+backward 1000 of 16'],
];

describe('cases', () => {
  it('have names of their own', () => {
    const names = cases.map(({ name, shape }) => `${name} ${shape}`);
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^[a-z0-9-]+\/[a-z0-9+-]+ \S/);
  });

  it.each(QUICK)('%s pass their check, and free what a run makes', async (which) => {
    const one = cases.find(({ name, shape }) => `${name} ${shape}` === which)!;
    const { memory } = cpu();
    const before = memory.liveBytes;
    const prepared = await one.prepare();
    vi.mocked(expectSamples).mockClear();
    await prepared.check();
    expect(expectSamples).toHaveBeenCalled();
    await prepared.run();
    const held = memory.liveBytes;
    await prepared.run();
    expect(memory.liveBytes).toBe(held);
    prepared.dispose();
    expect(memory.liveBytes).toBe(before);
  });

  it('notice a wrong result', async () => {
    const [x] = inputs([5]);
    const values = await x!.data();
    await expect(expectSamples(x!.clone(), (i) => values[i]!, 1e-6)).resolves.toBeUndefined();
    await expect(expectSamples(x!, (i) => values[i]! + Number(i === 4), 1e-6)).rejects.toThrow('element 4 is wrong');
  });
});
