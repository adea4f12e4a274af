// Builds the WebAssembly kernels of @burin/tensor where they are missing or older than their sources.
// Runs after every install and before the programs that need them; does nothing when all is fresh.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const tensor = fileURLToPath(new URL('../packages/tensor/', import.meta.url));
const builder = join(tensor, 'scripts/build-kernels.mjs');
const output = join(tensor, 'src/cpu/kernels.wasm.ts');

/** The latest change below a folder, in milliseconds. A removed file counts: it touches its folder. */
function newest(folder) {
  const times = readdirSync(folder, { recursive: true }).map((name) => statSync(join(folder, name)).mtimeMs);
  return Math.max(statSync(folder).mtimeMs, ...times);
}

function isFresh() {
  if (!existsSync(output)) return false;
  const built = statSync(output).mtimeMs;
  return built >= newest(join(tensor, 'assembly')) && built >= newest(join(tensor, 'scripts'));
}

if (existsSync(builder) && !isFresh()) {
  const { status } = spawnSync(process.execPath, [builder], { cwd: tensor, stdio: 'inherit' });
  process.exitCode = status ?? 1;
}
