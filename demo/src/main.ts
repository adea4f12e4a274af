import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { resourceUsage } from 'node:process';
import { fileURLToPath } from 'node:url';
import { saveAdapter, trainableParameters } from '@burin/lora';
import { defaultDevice, setDefaultDevice } from '@burin/tensor';
import { ByteTokenizer, type TextTokenizer, Tokenizer } from '@burin/tokenizers';
import { type Example, formatBytes } from '@burin/trainer';
import { majorityGuess, naiveBayes, type Scores } from './baselines.js';
import { type FineTuned, fineTune, METHODS, prepare, scoreUntrained, type Task } from './fine-tune.js';
import { largestGap, logitsOf } from './logits.js';
import { loadMails, type MailSplit } from './mails.js';
import { htmlReport } from './report-html.js';
import { CONTEXT, readSettings, type Settings, SPLIT } from './settings.js';
import { textTable } from './table.js';

/** One line of the final table. */
interface Row {
  name: string;
  scores: Scores;
  seconds?: number;
  peakBytes?: number;
  diskBytes?: number;
}

const settings = readSettings(process.argv.slice(2));
if (settings) await run(settings);

async function run(settings: Settings): Promise<void> {
  const started = performance.now();
  if (settings.device === 'gpu') await useGpu(settings.backend);
  await mkdir(settings.out, { recursive: true });

  heading(1, 'Real mails');
  const mails = await loadMails(SPLIT);
  const test = mails.test.slice(0, settings.testMails);
  const train = mails.train.slice(0, settings.trainMails);
  describeMails(mails, train.length, test.length);
  const rows: Row[] = [
    { name: 'majority guess', scores: majorityGuess(mails.train, test) },
    { name: `naive Bayes, ${mails.train.length} whole mails`, scores: naiveBayes(mails.train, test) },
    { name: `naive Bayes, ${train.length} mails, ${CONTEXT} bytes`, scores: naiveBayes(train, test, CONTEXT) },
  ];

  heading(2, 'A pretrained model');
  const tokenizer = await openTokenizer(settings.base);
  const task: Task = {
    base: settings.base,
    tokenizer,
    train: examplesOf(train, tokenizer),
    test: examplesOf(test, tokenizer),
    batchSize: settings.batchSize,
  };
  console.log(`device: ${defaultDevice().describe()}`);
  console.log(`base: ${settings.base}, ${formatBytes(await folderBytes(settings.base))} on disk`);
  rows.push({ name: 'untrained head', scores: await scoreUntrained(task) });

  const tuned: FineTuned[] = [];
  let readBack: ReadBack | null = null;
  for (const [i, method] of METHODS.entries()) {
    heading(3 + i, method.name);
    const prepared = await prepare(method, task);
    if (prepared.quantized) console.log(`quantized to NF4: ${prepared.quantized.text}`);
    console.log(trainableParameters(prepared.model).text);
    const result = await fineTune(method, task, prepared);
    describeRun(result);
    tuned.push(result);
    const row: Row = { name: method.name, scores: result.scores, seconds: result.seconds, peakBytes: result.peakBytes };
    if (i === 0) {
      heading('3b', 'Save, merge, read back in a fresh process');
      readBack = await saveAndReadBack(result, task, settings);
      row.diskBytes = readBack.adapterBytes;
    } else if (result.lora) {
      row.diskBytes = sum((await saveAdapter(result.lora, `${settings.out}/adapter-float`, { replace: true })).files);
    } else {
      row.diskBytes = sum(await result.model.savePretrained(`${settings.out}/full`, { replace: true }));
    }
    rows.push(row);
    result.model.dispose();
  }

  heading(6, 'What came of it');
  const table = tableOf(rows);
  console.log(textTable(table));
  await writeReports(settings, { rows, table, tuned, readBack: readBack!, mails, started });
  if (settings.beside !== null) await compareCurves(settings.beside, tuned);
}

/** Models, batches and optimizer state are on the GPU from now on. */
async function useGpu(backend: Settings['backend']): Promise<void> {
  const { gpu } = await import('@burin/tensor/gpu');
  setDefaultDevice(await gpu(backend === null ? {} : { backend }));
}

function heading(step: number | string, text: string): void {
  console.log(`\n== ${step}. ${text}`);
}

function describeMails({ read, duplicates, train, test }: MailSplit, used: number, measured: number): void {
  const spam = (part: readonly { label: number }[]) => part.filter(({ label }) => label === 1).length;
  console.log(`${read} mails, ${duplicates} duplicates left out, subject and body kept`);
  console.log(`training part: ${train.length} (${spam(train)} spam), of which ${used} are used for fine-tuning`);
  console.log(`held-out part: ${test.length} (${spam(test)} spam), of which ${measured} are measured`);
}

async function openTokenizer(base: string): Promise<TextTokenizer> {
  const tokenizer = await Tokenizer.fromFolder(base);
  return tokenizer.vocabSize === new ByteTokenizer().vocabSize ? new ByteTokenizer() : tokenizer;
}

function examplesOf(mails: MailSplit['train'], tokenizer: TextTokenizer): Example[] {
  return mails.map(({ text, label }) => ({
    inputIds: tokenizer.encode(text.slice(0, 4 * CONTEXT)).slice(0, CONTEXT),
    labels: label,
  }));
}

function describeRun({ paging, budgetBytes, scores, seconds, peakBytes }: FineTuned): void {
  if (Number.isFinite(budgetBytes)) {
    console.log(
      `paged optimizer under a device budget of ${formatBytes(budgetBytes)}: ${paging.pages} pages, ` +
        `${paging.pagesOut} moved out (${formatBytes(paging.bytesOut)}), ${paging.pagesIn} moved in ` +
        `(${formatBytes(paging.bytesIn)}), ${paging.writeBacksAvoided} dropped without a copy, ${paging.waits} waits`,
    );
  }
  console.log(
    `held-out accuracy ${percent(scores.accuracy)}, F1 ${percent(scores.f1)}; ` +
      `${seconds.toFixed(1)} s, at most ${formatBytes(peakBytes)} on the device`,
  );
}

/** What came back from disk, and how far it is from what was in memory. */
interface ReadBack {
  adapterBytes: number;
  mergedBytes: number;
  mergeDifference: number; // that merging made in the logits, in memory
  adapterGap: number;
  mergedGap: number;
}

async function saveAndReadBack({ model, lora }: FineTuned, task: Task, { base, out }: Settings): Promise<ReadBack> {
  const probe = task.test.slice(0, 16);
  const before = await logitsOf(model, probe);
  const saved = await saveAdapter(lora!, `${out}/adapter`, { baseModelNameOrPath: base, replace: true });
  console.log(
    saved.files.map(({ name, byteLength }) => `wrote ${out}/adapter/${name}: ${byteLength} bytes`).join('\n'),
  );
  const { model: merged } = await lora!.mergeAndUnload();
  const after = await logitsOf(merged, probe);
  const files = await merged.savePretrained(`${out}/merged`, { tokenizer: task.tokenizer, replace: true });
  console.log(`wrote ${out}/merged: ${sum(files)} bytes of weights`);

  const fresh = await readInFreshProcess(base, out, probe);
  const report: ReadBack = {
    adapterBytes: sum(saved.files),
    mergedBytes: sum(files),
    mergeDifference: largestGap(before, after),
    adapterGap: largestGap(before, fresh.adapter),
    mergedGap: largestGap(after, fresh.merged),
  };
  console.log(
    `largest difference of logits: merged from adapted ${report.mergeDifference.toExponential(1)}; ` +
      `read back: adapter ${report.adapterGap.toExponential(1)}, merged ${report.mergedGap.toExponential(1)}`,
  );
  return report;
}

async function readInFreshProcess(base: string, out: string, probe: readonly Example[]) {
  const file = `${out}/probe.json`;
  await writeFile(file, JSON.stringify(probe));
  const script = fileURLToPath(new URL('./read-back.ts', import.meta.url));
  const child = spawnSync(process.execPath, [...process.execArgv, script, base, out, file], { encoding: 'utf8' });
  if (child.status !== 0) throw new Error(`reading back in a fresh process failed: ${child.stderr}`);
  return JSON.parse(child.stdout) as { adapter: number[]; merged: number[] };
}

function tableOf(rows: readonly Row[]): string[][] {
  const head = ['', 'accuracy', 'F1', 'time', 'peak memory', 'on disk'];
  return [
    head,
    ...rows.map(({ name, scores, seconds, peakBytes, diskBytes }) => [
      name,
      percent(scores.accuracy),
      percent(scores.f1),
      seconds === undefined ? '' : `${seconds.toFixed(1)} s`,
      peakBytes === undefined ? '' : formatBytes(peakBytes),
      diskBytes === undefined ? '' : formatBytes(diskBytes),
    ]),
  ];
}

/** How far the losses are from those of another run with the same settings. */
async function compareCurves(file: string, tuned: readonly FineTuned[]): Promise<void> {
  const { methods } = JSON.parse(await readFile(file, 'utf8')) as { methods: { name: string; curve: Curve }[] };
  for (const { method, curve } of tuned) {
    const other = methods.find(({ name }) => name === method.name)?.curve ?? [];
    if (other.length !== curve.length) throw new RangeError(`--beside: ${file} is of a run with other settings`);
    const gaps = curve.map(({ loss }, i) => Math.abs(loss - other[i]!.loss));
    console.log(
      `${method.name}: ${gaps.length} losses, at most ${Math.max(...gaps).toExponential(1)} from those of ${file}`,
    );
  }
}

type Curve = FineTuned['curve'];

interface Outcome {
  rows: readonly Row[];
  table: string[][];
  tuned: readonly FineTuned[];
  readBack: ReadBack;
  mails: MailSplit;
  started: number;
}

async function writeReports(
  { out, json }: Settings,
  { rows, table, tuned, readBack, mails, started }: Outcome,
): Promise<void> {
  const seconds = (performance.now() - started) / 1000;
  const peakRss = resourceUsage().maxRSS * 1024;
  const facts = [
    `${mails.read} mails of the SpamAssassin corpus, ${mails.duplicates} duplicates left out.`,
    `Everything took ${seconds.toFixed(0)} s and at most ${formatBytes(peakRss)} of the process's memory.`,
  ];
  console.log(`\n${facts[1]}`);
  const curves = tuned.map(({ method, curve }) => ({ name: method.name, points: curve }));
  const page = `${out}/demo-report.html`;
  await writeFile(page, await htmlReport({ title: 'Burin: spam or not', facts, table, curves }));
  console.log(`report: ${page}`);
  if (!json) return;
  const methods = tuned.map(({ method, scores, curve, paging, memory, trained, budgetBytes }) => {
    const budget = Number.isFinite(budgetBytes) ? budgetBytes : null;
    return { ...method, scores, curve, paging, memory, trained, budgetBytes: budget };
  });
  await writeFile(json, `${JSON.stringify({ seconds, peakRss, rows, readBack, methods }, null, 2)}\n`);
  console.log(`figures: ${json}`);
}

function sum(files: readonly { byteLength: number }[]): number {
  return files.reduce((total, { byteLength }) => total + byteLength, 0);
}

async function folderBytes(folder: string): Promise<number> {
  const sizes = await Promise.all((await readdir(folder)).map(async (file) => (await stat(`${folder}/${file}`)).size));
  return sizes.reduce((total, size) => total + size, 0);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}
