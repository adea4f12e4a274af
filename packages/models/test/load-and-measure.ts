import { LlamaForCausalLM } from '@burin/models';
import { to4bit } from '@burin/quant-nf4';
import { cpu } from '@burin/tensor';

// Loads a folder in a process of its own and prints what that took, in bytes: `load-and-measure.ts FOLDER nf4|float16`.
// See streaming.test.ts.

const [folder, storage] = process.argv.slice(2) as [string, string];

const { memory } = cpu();
const before = process.memoryUsage.rss();
let arrayBuffers = 0;
const watch = setInterval(() => {
  arrayBuffers = Math.max(arrayBuffers, process.memoryUsage().arrayBuffers);
}, 1);
const start = performance.now();
await LlamaForCausalLM.fromPretrained(
  folder,
  storage === 'nf4' ? { convert: to4bit({ doubleQuant: true }) } : { dtype: 'float16' },
);
const milliseconds = performance.now() - start;
clearInterval(watch);
const resident = process.resourceUsage().maxRSS * 1024 - before;
const { liveBytes, peakBytes } = memory;
console.log(JSON.stringify({ liveBytes, peakBytes, resident, arrayBuffers, milliseconds }));
