// Compiles assembly/index.ts to WebAssembly, with and without relaxed SIMD, and writes src/cpu/kernels.wasm.ts: the plain
// module and what is different in the other one as base64, and the types of what they export. Does nothing when the sources are those of the last build; `--force` builds all the same.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';
import { makePatch } from './patch.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const output = join(root, 'src/cpu/kernels.wasm.ts');

const FEATURES = 'simd,bulk-memory,threads';

// `--use abort=`: no import to report a failed assertion through; it traps
const OPTIONS =
  '-O3 --noAssert --runtime stub --importMemory --initialMemory 64 --maximumMemory 65536 --sharedMemory --use abort= --bindings raw'.split(
    ' ',
  );

/** A digest of all that decides the result: the sources, this script and the compiler's version. */
function digestOfSources() {
  const hash = createHash('sha256');
  const assembly = join(root, 'assembly');
  const sources = readdirSync(assembly, { recursive: true }).filter((name) => statSync(join(assembly, name)).isFile());
  for (const name of sources.sort()) {
    hash.update(name.replaceAll('\\', '/'));
    hash.update(readFileSync(join(assembly, name)));
  }
  for (const script of ['build-kernels.mjs', 'patch.mjs']) hash.update(readFileSync(join(root, 'scripts', script)));
  hash.update(readFileSync(createRequire(import.meta.url).resolve('assemblyscript/package.json')));
  return hash.digest('hex');
}

/** Compiles one build. Returns the module and the TypeScript declarations of its exports. */
async function compile(features) {
  const files = new Map();
  const { error, stderr } = await asc.main(
    ['assembly/index.ts', '--outFile', 'kernels.wasm', '--enable', features, ...OPTIONS],
    {
      readFile: (name, base) => {
        const path = join(root, base === '.' ? '' : base, name);
        return existsSync(path) && statSync(path).isFile() ? readFileSync(path, 'utf8') : null;
      },
      listFiles: () => [],
      writeFile: (name, contents) => {
        files.set(name, contents);
      },
    },
  );
  if (error) throw new Error(`build-kernels: ${error.message}\n${stderr.toString()}`);
  return { wasm: files.get('kernels.wasm'), declarations: files.get('kernels.d.ts') };
}

/** The functions in the compiler's declarations, as members of an interface. A pointer to a struct is a number, too. */
function membersOf(declarations) {
  return [...declarations.matchAll(/export function (\w+\(.*\): \w+;)/g)].map(
    ([, signature]) => `  ${signature.replaceAll(/__Record\d+<\w+>/g, 'number')}`,
  );
}

function render(digest, constants, members) {
  return [
    `// Generated from assembly/ by scripts/build-kernels.mjs. Do not edit. Sources: ${digest}`,
    '',
    '/** What the kernels export. Pointers are byte addresses; those above 2³¹ may be given as unsigned numbers. */',
    'export interface KernelExports {',
    ...members,
    '}',
    '',
    ...Object.entries(constants).flatMap(([name, { text, bytes }]) => [
      `/** ${text}, as base64. */`,
      `export const ${name} = '${Buffer.from(bytes).toString('base64')}';`,
      '',
    ]),
  ].join('\n');
}

async function build() {
  const digest = digestOfSources();
  if (!process.argv.includes('--force') && existsSync(output) && readFileSync(output, 'utf8').includes(digest)) {
    utimesSync(output, new Date(), new Date());
    return;
  }
  const plain = await compile(FEATURES);
  const relaxed = await compile(`${FEATURES},relaxed-simd`);
  const members = membersOf(plain.declarations);
  const constants = {
    kernelsWasm: { text: 'The module without relaxed SIMD', bytes: plain.wasm },
    relaxedPatch: { text: 'What makes it the one with relaxed SIMD', bytes: makePatch(plain.wasm, relaxed.wasm) },
  };
  mkdirSync(dirname(output), { recursive: true });
  // whole or not at all: a test run beside this build must not read half a file
  writeFileSync(`${output}.${process.pid}`, render(digest, constants, members));
  renameSync(`${output}.${process.pid}`, output);
  const sizes = Object.entries(constants).map(([name, { bytes }]) => `${name} ${(bytes.length / 1024).toFixed(1)} KiB`);
  console.log(`built src/cpu/kernels.wasm.ts: ${members.length} kernels, ${sizes.join(', ')}`);
}

await build();
