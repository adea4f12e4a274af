import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished } from 'vitest';

it('runs from end to end on few mails, pages, and reads back what it had in memory', () => {
  const out = mkdtempSync(`${tmpdir()}/burin-demo-`);
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const node = ['--import', 'tsx', '--conditions=@burin/source'];
  const args = ['--out', out, '--json', `${out}/figures.json`, '--train', '32', '--test', '16'];
  const env = { ...process.env, NODE_NO_WARNINGS: '1' }; // Node's own, of its options and of colours
  const run = spawnSync(process.execPath, [...node, main, ...args], { encoding: 'utf8', env });
  expect(run.stderr).toBe('');
  expect(run.status).toBe(0);

  const figures = JSON.parse(readFileSync(`${out}/figures.json`, 'utf8'));
  const [qlora] = figures.methods;
  expect(qlora.paging.pagesOut).toBeGreaterThan(0);
  expect(qlora.paging.pagesIn).toBeGreaterThan(0);
  expect(figures.readBack.adapterGap).toBe(0);
  expect(figures.readBack.mergedGap).toBe(0);
  expect(figures.readBack.mergeDifference).toBeLessThan(1e-4); // float32 rounding of W + BA, through four layers
  expect(figures.rows.map(({ name }: { name: string }) => name)).toContain('full fine-tuning');

  const page = readFileSync(`${out}/demo-report.html`, 'utf8');
  expect(page).toContain('new uPlot');
  expect(page).not.toMatch(/<(script|link)[^>]+(src|href)=/); // needs nothing from the network
});
