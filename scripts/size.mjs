// Bundle size of each package: one import, and all of it, minified and gzipped, without the other packages that it uses.
// Fails where a size exceeds its budget in scripts/size-budget.json. `--update` writes the budgets anew, 5 % above today.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

const root = fileURLToPath(new URL('..', import.meta.url));
const BUDGET = `${root}scripts/size-budget.json`;
const ROOM = 1.05;

function manifestOf(name) {
  return JSON.parse(readFileSync(`${root}packages/${name}/package.json`, 'utf8'));
}

/** The bytes that `code` costs a page that imports it. */
async function gzippedSize(code, folder) {
  const result = await build({
    stdin: { contents: code, resolveDir: folder },
    bundle: true,
    minify: true,
    write: false,
    format: 'esm',
    platform: 'neutral',
    target: 'es2022',
    packages: 'external',
  });
  return gzipSync(result.outputFiles[0].contents, { level: 9 }).length;
}

async function exportsOf(folder) {
  const result = await build({
    entryPoints: [`${folder}/dist/index.js`],
    write: false,
    metafile: true,
    packages: 'external',
    bundle: true,
    format: 'esm',
  });
  return Object.values(result.metafile.outputs)[0].exports;
}

async function measure(name, one) {
  const folder = `${root}packages/${name}`;
  const names = await exportsOf(folder);
  if (names.length === 0) throw new Error(`@burin/${name} exports nothing: its size cannot be measured`);
  const single = names.includes(one) ? one : names[0];
  return {
    one: single,
    oneBytes: await gzippedSize(`export { ${single} } from './dist/index.js';`, folder),
    allBytes: await gzippedSize(`export * from './dist/index.js';`, folder),
  };
}

const update = process.argv.includes('--update');
const budgets = existsSync(BUDGET) ? JSON.parse(readFileSync(BUDGET, 'utf8')) : {};
const next = {};
let over = 0;
for (const name of readdirSync(`${root}packages`)) {
  if (manifestOf(name).private) continue;
  const budget = budgets[name];
  const size = await measure(name, budget?.one);
  const { one, oneBytes, allBytes } = size;
  next[name] = { one, oneBytes: Math.ceil(oneBytes * ROOM), allBytes: Math.ceil(allBytes * ROOM) };
  const fits = update || (budget !== undefined && oneBytes <= budget.oneBytes && allBytes <= budget.allBytes);
  if (!fits) over += 1;
  const limit = budget ? ` (budget ${budget.oneBytes} and ${budget.allBytes})` : ' (no budget)';
  console.log(`${fits ? 'ok  ' : 'OVER'} @burin/${name}: ${oneBytes} B for { ${one} }, ${allBytes} B for all${limit}`);
}
if (update) writeFileSync(BUDGET, `${JSON.stringify(next, null, 2)}\n`);
if (over > 0) {
  console.log(
    `${over} over budget: make it smaller, or run \`node scripts/size.mjs --update\` and say why in the commit`,
  );
  process.exitCode = 1;
}
