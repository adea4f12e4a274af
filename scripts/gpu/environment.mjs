// Where GPUs are found on this machine: what the tests and the benchmark on GPU backends run with.
import { existsSync, mkdtempSync, readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES = fileURLToPath(new URL('node_modules', import.meta.url));
const VULKAN_DRIVERS = ['/usr/share/vulkan/icd.d', '/etc/vulkan/icd.d', '/usr/local/share/vulkan/icd.d'];
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
 * Environment variables for a process that opens a GPU: where `webgpu` and `gl` are installed, and a Vulkan driver in
 * software where the machine has none.
 */
export function gpuEnvironment() {
  const env = { ...process.env, NODE_PATH: [MODULES, process.env.NODE_PATH].filter(Boolean).join(delimiter) };
  if (process.platform !== 'linux') return env;
  const swiftShader = SWIFTSHADER.find(existsSync);
  const chosen = process.env.VK_ICD_FILENAMES ?? process.env.VK_DRIVER_FILES;
  if (!chosen && swiftShader && !VULKAN_DRIVERS.some(hasDriver)) env.VK_ICD_FILENAMES = swiftShader;
  env.XDG_RUNTIME_DIR ??= mkdtempSync(join(tmpdir(), 'burin-runtime-'));
  return env;
}

/** `command` with a display of its own for headless GL, where there is none. */
export function withDisplay(command) {
  const needsOne = process.platform === 'linux' && !process.env.DISPLAY;
  return needsOne ? ['xvfb-run', '-a', '-s', '-screen 0 64x64x24', ...command] : command;
}

function hasDriver(folder) {
  return existsSync(folder) && readdirSync(folder).some((file) => file.endsWith('.json'));
}
