// Teaches a model of American pronunciation the British one, as an adapter that can be switched off. See ../../README.md.
import { mkdir, writeFile } from 'node:fs/promises';
import { loadAdapter, saveAdapter, trainableParameters } from '@burin/lora';
import { BartForConditionalGeneration } from '@burin/models';
import type { CommandLine } from '../command-line.js';
import { type Pair, readPairs, sharedPath } from '../shared-files.js';
import { Alphabet } from './alphabet.js';
import { type FineTuned, fineTune, spell } from './fine-tune.js';
import { areSameBits, logitsOf } from './logits.js';
import { type SpellingScores, scoreSpelling } from './score.js';
import { readSettings } from './settings.js';

const DATA = 'data/g2p-english';
const MODEL = 'models/bart-g2p-en-us';
const PROBE = 64; // words whose logits are compared to the bit

const settings = readSettings(process.argv.slice(2));
if (settings) await run(settings);

async function run({ counts, out, json }: CommandLine<'train' | 'test'>): Promise<void> {
  const train = await readPairs(`${DATA}/en-gb.train.jsonl.gz`, counts.train);
  const british = await readPairs(`${DATA}/en-gb.test.jsonl.gz`, counts.test);
  const american = await readPairs(`${DATA}/en-us.test.jsonl.gz`, counts.test);
  const folder = sharedPath(MODEL);
  const model = await BartForConditionalGeneration.fromPretrained(folder);
  const alphabet = new Alphabet(model.config.raw);
  const measure = async (pairs: readonly Pair[]) => {
    const said = await spell(
      model,
      alphabet,
      pairs.map(({ source }) => source),
    );
    return { said, scores: scoreSpelling(said, pairs) };
  };

  console.log('== The American model');
  const before = { british: await measure(british), american: await measure(american) };
  const logits = await logitsOf(model, alphabet, british.slice(0, PROBE));
  report('British words', before.british.scores);
  report('American words', before.american.scores);

  console.log('\n== LoRA on every attention and feed-forward matrix');
  const tuned = await fineTune(model, alphabet, train);
  console.log(trainableParameters(model).text);
  const after = { british: await measure(british), american: await measure(american) };
  console.log(`trained in ${tuned.seconds.toFixed(1)} s`);
  report('British words', after.british.scores);
  report('American words', after.american.scores);

  console.log('\n== The adapter switched off');
  tuned.lora.disable();
  const off = await measure(american);
  check('spells every American word as before', off.said.join('\n') === before.american.said.join('\n'));
  check(
    'has the logits of before, to the bit',
    areSameBits(await logitsOf(model, alphabet, british.slice(0, PROBE)), logits),
  );
  tuned.lora.enable();

  console.log('\n== Saved, and read back onto a fresh model');
  await readBack(tuned, alphabet, british.slice(0, PROBE), { folder, out });
  if (json) await writeFile(json, figures(tuned, before, after));
}

interface Measured {
  readonly scores: SpellingScores;
}

async function readBack(
  { lora }: FineTuned,
  alphabet: Alphabet,
  probe: readonly Pair[],
  { folder, out }: { folder: string; out: string },
): Promise<void> {
  await mkdir(out, { recursive: true });
  const saved = await saveAdapter(lora, `${out}/adapter`, { baseModelNameOrPath: MODEL, replace: true });
  for (const { name, byteLength } of saved.files) console.log(`wrote ${out}/adapter/${name}: ${byteLength} bytes`);
  const fresh = await BartForConditionalGeneration.fromPretrained(folder);
  await loadAdapter(fresh, `${out}/adapter`);
  const [ours, theirs] = [await logitsOf(lora.model, alphabet, probe), await logitsOf(fresh, alphabet, probe)];
  check('has the logits of the model in memory, to the bit', areSameBits(ours, theirs));
  fresh.dispose();
}

function report(words: string, { exact, errorRate }: SpellingScores): void {
  console.log(`${words}: ${percent(exact)} exactly right, phoneme error rate ${percent(errorRate)}`);
}

/** Says what holds. @throws Error if it does not */
function check(claim: string, holds: boolean): void {
  if (!holds) throw new Error(`g2p: this must hold and does not: ${claim}`);
  console.log(claim);
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function figures(
  { seconds, curve, result }: FineTuned,
  before: { british: Measured; american: Measured },
  after: { british: Measured; american: Measured },
): string {
  const scores = (both: { british: Measured; american: Measured }) => ({
    british: both.british.scores,
    american: both.american.scores,
  });
  const { tokensPerSecond, memory } = result;
  const all = { seconds, tokensPerSecond, before: scores(before), after: scores(after), curve, memory };
  return `${JSON.stringify(all, null, 2)}\n`;
}
