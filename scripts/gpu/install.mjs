// node scripts/gpu/install.mjs: installs what GPU tests in Node need beside the workspace, into scripts/gpu/node_modules.
// `webgpu` is 130 MB of binaries; `gl` is compiled where it has no binary for this Node, which takes minutes and a C++
// compiler. A second run has nothing to do, and one beside another waits for it.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const FOLDER = fileURLToPath(new URL('.', import.meta.url));
const LOCK = `${FOLDER}installing.pid`;
const DONE = ['node_modules/webgpu/package.json', 'node_modules/gl/build/Release/webgl.node'];

const isInstalled = () => DONE.every((file) => existsSync(FOLDER + file));

/** Whether another process is installing: the one whose id the lock holds is alive. */
function isBusy() {
  if (!existsSync(LOCK)) return false;
  try {
    process.kill(Number(readFileSync(LOCK, 'utf8')), 0);
    return true;
  } catch {
    return false;
  }
}

function npm(...args) {
  const { status } = spawnSync('npm', [...args, '--prefix', FOLDER], { stdio: 'inherit' });
  return status === 0;
}

function install() {
  writeFileSync(LOCK, String(process.pid));
  try {
    // some npm settings leave install scripts out; gl's compiles it
    if (!npm('install', '--no-package-lock', '--no-audit', '--no-fund')) return;
    if (!isInstalled()) npm('rebuild', 'gl');
  } finally {
    rmSync(LOCK, { force: true });
  }
}

while (isBusy()) await setTimeout(500);
if (!isInstalled()) install();
if (!isInstalled()) {
  console.error(
    'gpu: webgpu or gl could not be installed; gl needs python3, make, g++ and the headers of X11 and OpenGL',
  );
  process.exitCode = 1;
}
