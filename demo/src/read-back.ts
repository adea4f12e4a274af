// Run by the demo as a process of its own: reads the saved adapter and the merged model from disk, and prints the logits
// of both for the examples in a file. Arguments: base folder, output folder, file of examples.

import { readFile } from 'node:fs/promises';
import { loadAdapter } from '@burin/lora';
import { LlamaForCausalLM, LlamaForSequenceClassification } from '@burin/models';
import { quantizeModel } from '@burin/quant-nf4';
import { Generator } from '@burin/tensor';
import type { Example } from '@burin/trainer';
import { logitsOf } from './logits.js';

const [base, out, file] = process.argv.slice(2) as [string, string, string];
const examples = JSON.parse(await readFile(file, 'utf8')) as Example[];

const causal = await LlamaForCausalLM.fromPretrained(base);
const adapted = LlamaForSequenceClassification.fromCausal(causal, { numLabels: 2, rng: new Generator(0) });
await quantizeModel(adapted, { type: 'nf4', doubleQuant: true });
await loadAdapter(adapted, `${out}/adapter`); // brings the classification head along
const adapter = await logitsOf(adapted, examples);

const merged = await logitsOf(await LlamaForSequenceClassification.fromPretrained(`${out}/merged`), examples);
console.log(JSON.stringify({ adapter, merged }));
