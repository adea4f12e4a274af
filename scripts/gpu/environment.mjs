// Where GPUs are found on this machine: what the tests and the benchmark on GPU backends run with.
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = fileURLToPath(new URL('node_modules', import.meta.url));
const BROWSERS = [
  ...['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome', '/usr/bin/google-chrome-stable'],
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
/** Chromium brings SwiftShader, a Vulkan in software. */
const SWIFTSHADER = ['/usr/lib/chromium', '/usr/lib64/chromium', '/opt/google/chrome'].map((folder) =>
  join(folder, 'vk_swiftshader_icd.json'),
);

/** The browser to test in, or null: BURIN_CHROMIUM, or where one is usually found. */
export function findBrowser() {
  if (process.env.BURIN_CHROMIUM) return process.env.BURIN_CHROMIUM;
  return BROWSERS.find(existsSync) ?? null;
}

/**
 * Environments for a process that opens a GPU, the best first: with the machine's own Vulkan drivers, then with the one in
 * software that comes with Chromium. In each, NODE_PATH says where `webgpu` and `gl` are installed.
 */
export function gpuEnvironments() {
  const env = { ...process.env, NODE_PATH: [MODULES, process.env.NODE_PATH].filter(Boolean).join(delimiter) };
  if (process.platform !== 'linux') return [env];
  env.XDG_RUNTIME_DIR ??= runtimeFolder();
  const swiftShader = SWIFTSHADER.find(existsSync);
  const isChosen = process.env.VK_ICD_FILENAMES ?? process.env.VK_DRIVER_FILES;
  return isChosen || !swiftShader ? [env] : [env, { ...env, VK_ICD_FILENAMES: swiftShader }];
}

let runtime = null;

/** A folder for sockets of drivers, which is removed when this process ends. */
function runtimeFolder() {
  if (runtime) return runtime;
  runtime = mkdtempSync(join(tmpdir(), 'burin-runtime-'));
  process.on('exit', () => rmSync(runtime, { recursive: true, force: true }));
  return runtime;
}

/** `command` with a display of its own for headless GL, where there is none. */
export function withDisplay(command) {
  const needsOne = process.platform === 'linux' && !process.env.DISPLAY;
  return needsOne ? ['xvfb-run', '-a', '-s', '-screen 0 64x64x24', ...command] : command;
}
