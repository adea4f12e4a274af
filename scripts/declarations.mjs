// Checks the types of all builds as those projects meet them that check declarations (`skipLibCheck: false`): with no types
// but the language's, neither Node's nor a browser's, and in TypeScript before 5.7, which has no `Uint8Array<ArrayBuffer>`.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));
const files = readdirSync('packages')
  .map((name) => `packages/${name}/dist`)
  .filter((folder) => existsSync(folder))
  .flatMap((folder) => readdirSync(folder, { recursive: true }).map((file) => `${folder}/${file}`))
  .filter((file) => file.endsWith('.d.ts'));
if (files.length === 0) throw new Error('declarations: there are no builds: run pnpm build first');

const program = ts.createProgram(files, {
  ...{ target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.Node16, lib: ['lib.es2022.d.ts'], types: [] },
  ...{ noEmit: true, strict: true, exactOptionalPropertyTypes: true, skipLibCheck: false },
});
const problems = ts.getPreEmitDiagnostics(program).map((problem) => {
  const place = problem.file?.getLineAndCharacterOfPosition(problem.start ?? 0).line ?? 0;
  return `${problem.file?.fileName}:${place + 1}: ${ts.flattenDiagnosticMessageText(problem.messageText, ' ')}`;
});
for (const file of files) {
  const lines = readFileSync(file, 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    const generic = /\w+Array<\w*Buffer/.exec(line.replace(/^\s*\/?\*.*/, ''));
    if (generic) problems.push(`${file}:${index + 1}: TypeScript before 5.7 has no ${generic[0]}>`);
  }
}
if (problems.length > 0) throw new Error(`types do not hold:\n${problems.join('\n')}`);
console.log(`the types of ${files.length} declaration files hold with the language's alone`);
