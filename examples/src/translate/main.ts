// Trains a small encoder-decoder from nothing to translate English captions to German. See ../../README.md.
import { mkdir, writeFile } from 'node:fs/promises';
import { type BleuScores, corpusBleu } from '@burin/trainer';
import { readPairs } from '../shared-files.js';
import { readSettings, type TranslateSettings } from './settings.js';
import { newModel, type Trained, train } from './train.js';
import { translate } from './translate.js';
import { Vocabulary } from './vocabulary.js';

const DATA = 'data/multi30k';
const VALID = 500; // pairs for the curve
const BEAMS = 4;
const SHOWN = 5; // translations to look at

const settings = readSettings(process.argv.slice(2));
if (settings) await run(settings);

async function run({ counts, out, json }: TranslateSettings): Promise<void> {
  const pairs = {
    train: await readPairs(`${DATA}/en-de.train.jsonl.gz`, counts.pairs),
    valid: await readPairs(`${DATA}/en-de.valid.jsonl.gz`, Math.min(VALID, counts.test)),
    test: await readPairs(`${DATA}/en-de.test.jsonl.gz`, counts.test),
  };
  const vocabulary = Vocabulary.learn(
    pairs.train.flatMap(({ source, target }) => [source, target]),
    counts.vocab,
  );
  const model = newModel(vocabulary);
  const parameters = model.parameters().reduce((sum, { size }) => sum + size, 0);
  console.log(`${pairs.train.length} pairs, ${vocabulary.size} tokens, ${parameters.toLocaleString('en')} parameters`);
  const trained = await train(model, vocabulary, { ...pairs, steps: counts.steps });
  console.log(`trained in ${trained.seconds.toFixed(0)} s`);

  await mkdir(out, { recursive: true });
  await model.savePretrained(`${out}/model`, { tokenizer: vocabulary.tokenizer, replace: true });

  const sources = pairs.test.map(({ source }) => source);
  const references = pairs.test.map(({ target }) => target);
  const greedy = await translate(model, vocabulary, sources, 1);
  const beams = await translate(model, vocabulary, sources, BEAMS);
  const scores = {
    copied: corpusBleu(sources, references),
    greedy: corpusBleu(greedy, references),
    beams: corpusBleu(beams, references),
  };
  for (let i = 0; i < Math.min(SHOWN, sources.length); i++) {
    console.log(`\n  ${sources[i]}\n  ${beams[i]}\n  (${references[i]})`);
  }
  console.log(`\nBLEU on ${sources.length} held-out sentences`);
  report('the source as it is', scores.copied);
  report('greedy', scores.greedy);
  report(`${BEAMS} beams`, scores.beams);
  if (json) await writeFile(json, figures(trained, parameters, scores));
}

function report(name: string, { score }: BleuScores): void {
  console.log(`  ${name.padEnd(20)} ${score.toFixed(1).padStart(5)}`);
}

function figures(
  { curve, seconds, result }: Trained,
  parameters: number,
  scores: Readonly<Record<string, BleuScores>>,
): string {
  const { tokensPerSecond, memory } = result;
  return `${JSON.stringify({ parameters, seconds, tokensPerSecond, scores, curve, memory }, null, 2)}\n`;
}
