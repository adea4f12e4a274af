import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { lineReporter, Trainer } from '@burin/trainer';
import { describe, expect, it } from 'vitest';
import { createReporter, formatLog, formatTime } from '../src/terminal.js';
import { countingTexts, TinyLanguageModel } from './tiny-model.js';

describe('progress', () => {
  it('is plain lines where there is no terminal', async () => {
    const lines: string[] = [];
    const reporter = lineReporter((text) => lines.push(text));
    const data = [...countingTexts(8), { inputIds: [1, 2], labels: [-100, -100] }];
    await new Trainer({
      model: new TinyLanguageModel(),
      trainDataset: data,
      args: { maxSteps: 4, loggingSteps: 2 },
      reporter,
    }).train();
    expect(lines[0]).toBe('data: 9 examples, 37 trained tokens or labels in an epoch');
    expect(lines[1]).toBe('1 of 9 examples train nothing: 8');
    expect(lines[2]).toMatch(/^memory:\n {2}trainable weights +740 B {2}exact\n/);
    expect(lines[3]).toBe('training: 4 steps');
    expect(lines[4]).toMatch(
      /^step 2, epoch 1: loss 2\.\d+, gradNorm 0\.\d+, learningRate 0\.0000375, tokensPerSecond \d+(\.\d+)?$/, // four digits: 987.6 on a busy machine
    );
    expect(lines.at(-1)).toMatch(/most held at once .* measured$/);
  });

  it('is a bar with loss, speed and time left on a terminal', () => {
    const script = `
      Object.defineProperty(process.stderr, 'isTTY', { value: true });
      Object.assign(process.stderr, { columns: 100, cursorTo() {}, clearLine() {}, moveCursor() {} });
      delete process.env.CI;
      const { createReporter } = await import('./src/terminal.ts');
      const reporter = createReporter();
      await reporter.begin({ globalStep: 0, maxSteps: 4 });
      reporter.step({ globalStep: 2, maxSteps: 4 }, { loss: 1.5, tokensPerSecond: 123.4 });
      reporter.log({ step: 2, epoch: 0.5, loss: 1.5 });
      reporter.end();`;
    const flags = ['--import', 'tsx', '--conditions=@burin/source', '--input-type=module', '--eval', script];
    const cwd = fileURLToPath(new URL('..', import.meta.url));
    const { stdout, stderr } = spawnSync(process.execPath, flags, { cwd, encoding: 'utf8' });
    expect(stderr).toMatch(/2\/4 steps \| loss 1\.5000 \| 123 tokens\/s \| 0:0\d left/);
    expect(stdout).toContain('step 2, epoch 0.5: loss 1.5');
  });

  it('needs no platform', () => {
    const { process } = globalThis;
    try {
      Reflect.set(globalThis, 'process', undefined); // as in a browser
      expect(Object.keys(createReporter())).toEqual(['line', 'begin', 'step', 'log', 'end']);
    } finally {
      Reflect.set(globalThis, 'process', process);
    }
  });

  it('shows times and figures', () => {
    expect([5, 65, 3725, Number.POSITIVE_INFINITY].map(formatTime)).toEqual(['0:05', '1:05', '1:02:05', '-:--']);
    expect(formatLog({ step: 3, epoch: 0.123, loss: 1.23456, learningRate: 5e-5 })).toBe(
      'step 3, epoch 0.12: loss 1.235, learningRate 0.00005',
    );
  });
});
