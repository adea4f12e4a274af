// Installs one packed package in an empty project, as a user would, and checks that it brings its own dependencies and
// no other Burin package, that none of them is too large, that the examples of its README run there, and that all types
// hold for a strict project of Node, which has no types of a browser. Needs the builds, not the registry.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const packages = fileURLToPath(new URL('../packages/', import.meta.url));
const name = process.argv[2] ?? 'lora';

/** Bytes of a packed package, at most: tensor, with its kernels, is the largest. */
const MOST_BYTES = 300_000;

const manifest = (folder) => JSON.parse(readFileSync(join(packages, folder, 'package.json'), 'utf8'));

/** The package and all Burin packages below it. */
function withDependencies(folder, found = new Set()) {
  found.add(folder);
  for (const dependency of Object.keys(manifest(folder).dependencies ?? {})) {
    if (dependency.startsWith('@burin/')) withDependencies(dependency.slice('@burin/'.length), found);
  }
  return found;
}

function run(command, args, cwd) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${error ?? ''}${stdout}${stderr}`);
  return stdout;
}

/** Packs with the pnpm that runs this script, which turns `workspace:^` into versions. */
function pack(folder, destination) {
  const pnpm = process.env.npm_execpath;
  const [command, ...first] = pnpm?.includes('pnpm') ? [process.execPath, pnpm] : ['npx', '-y', 'pnpm@10'];
  run(command, [...first, 'pack', '--pack-destination', destination], join(packages, folder));
  const { name: packageName, version } = manifest(folder);
  const tarball = `${packageName.slice(1).replace('/', '-')}-${version}.tgz`;
  const { size } = statSync(join(destination, tarball));
  if (size > MOST_BYTES) throw new Error(`${packageName} is ${size} bytes when packed, more than ${MOST_BYTES}`);
  return `file:./${tarball}`;
}

function installIn(project) {
  const tarballs = new Map([...withDependencies(name)].map((folder) => [`@burin/${folder}`, pack(folder, project)]));
  const [[main, tarball], ...others] = tarballs;
  const contents = {
    private: true,
    type: 'module',
    dependencies: { [main]: tarball },
    // Only says where a dependency is found, as the packages are not in a registry; adds none by itself.
    overrides: Object.fromEntries(others),
  };
  writeFileSync(join(project, 'package.json'), JSON.stringify(contents));
  run('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'], project);
  return [...tarballs.keys()].sort();
}

/** Consoles, stacks and messages name a class by what its build called it. */
const CHECK_NAMES = `for (const name of process.argv.slice(1)) {
  for (const [key, value] of Object.entries(await import(name))) {
    if (/^class\\b/.test(value) && value.name !== key) throw new Error(name + ': the class ' + key + ' is called ' + value.name);
  }
}`;

/** Compiles as the strictest user would: declarations of packages are checked too, and only Node's types are there. */
function compile(files) {
  const program = ts.createProgram(files, {
    ...{ target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext, lib: ['lib.es2022.d.ts'] },
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
    ...{ types: ['node'], typeRoots: [fileURLToPath(new URL('../node_modules/@types', import.meta.url))] },
  });
  const problems = [...ts.getPreEmitDiagnostics(program), ...program.emit().diagnostics];
  if (problems.length === 0) return;
  const host = { getCurrentDirectory: () => project, getCanonicalFileName: (file) => file, getNewLine: () => '\n' };
  throw new Error(`types do not hold:\n${ts.formatDiagnostics(problems, host)}`);
}

const project = mkdtempSync(join(tmpdir(), 'burin-install-'));
try {
  const expected = installIn(project);
  const installed = readdirSync(join(project, 'node_modules/@burin'))
    .map((folder) => `@burin/${folder}`)
    .sort();
  if (installed.join() !== expected.join()) throw new Error(`expected ${expected}, but npm installed ${installed}`);
  console.log(`@burin/${name} brings ${installed.join(', ')}`);
  run(process.execPath, ['--input-type=module', '--eval', CHECK_NAMES, '--', ...installed], project);

  const readme = readFileSync(join(project, `node_modules/@burin/${name}/README.md`), 'utf8');
  const blocks = [...readme.matchAll(/^```ts[ \t]*\n([\s\S]*?)^```[ \t]*$/gm)].map((block) => block[1]);
  if (blocks.length === 0) throw new Error(`@burin/${name}: the README has no example`);
  const files = blocks.map((source, index) => {
    const file = join(project, `example-${index + 1}.ts`);
    writeFileSync(file, source);
    return file;
  });
  compile(files);
  for (const file of files) process.stdout.write(run(process.execPath, [file.replace(/ts$/, 'js')], project));
  console.log(`the ${blocks.length} examples of its README run there`);
} finally {
  rmSync(project, { recursive: true, force: true });
}
