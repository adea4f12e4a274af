import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';

/** A loss curve of the report. */
export interface Curve {
  name: string;
  points: readonly { step: number; loss: number }[];
}

export interface Report {
  title: string;
  facts: readonly string[];
  table: readonly (readonly string[])[]; // the first row is the head
  curves: readonly Curve[];
}

const COLOURS = ['#3366cc', '#dc3912', '#109618', '#990099'];

/** The report as one page that needs nothing else: µPlot and the figures are inside. */
export async function htmlReport({ title, facts, table, curves }: Report): Promise<string> {
  const resolve = createRequire(import.meta.url).resolve;
  const script = await readFile(resolve('uplot/dist/uPlot.iife.min.js'), 'utf8');
  const style = await readFile(resolve('uplot/dist/uPlot.min.css'), 'utf8');
  const [head, ...rows] = table;
  const cells = (row: readonly string[], tag: string) =>
    row.map((cell) => `<${tag}>${escapeHtml(cell)}</${tag}>`).join('');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(title)}</title>
<style>${style}
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
table { border-collapse: collapse; margin: 1rem 0; } td, th { padding: .3rem .8rem; border-bottom: 1px solid #ddd; text-align: right; }
td:first-child, th:first-child { text-align: left; }
</style>
<h1>${escapeHtml(title)}</h1>
${facts.map((fact) => `<p>${escapeHtml(fact)}</p>`).join('\n')}
<table><thead><tr>${cells(head!, 'th')}</tr></thead>
<tbody>${rows.map((row) => `<tr>${cells(row, 'td')}</tr>`).join('\n')}</tbody></table>
<h2>Training loss</h2>
<div id="curves"></div>
<script>${script}</script>
<script>
const curves = ${JSON.stringify(curves).replaceAll('<', '\\u003c')};
const colours = ${JSON.stringify(COLOURS)};
const steps = [...new Set(curves.flatMap(({ points }) => points.map(({ step }) => step)))].sort((a, b) => a - b);
const lines = curves.map(({ points }) => {
  const bySteps = new Map(points.map(({ step, loss }) => [step, loss]));
  return steps.map((step) => bySteps.get(step) ?? null);
});
new uPlot({
  width: Math.min(900, document.body.clientWidth), height: 360,
  scales: { x: { time: false } },
  axes: [{ label: 'step' }, { label: 'loss, nats' }],
  series: [{ label: 'step' }, ...curves.map(({ name }, i) => ({ label: name, stroke: colours[i % colours.length], width: 2, spanGaps: true }))],
}, [steps, ...lines], document.getElementById('curves'));
</script>
</html>
`;
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
