/** What the npm package `webgpu` (Dawn) exports. */
interface Dawn {
  create(options: string[]): object;
  globals: object;
}

/**
 * Puts `navigator.gpu` in place under Node from the package `webgpu`, which is where gpu.js looks for it. Does nothing
 * where there is one.
 *
 * @returns what is missing, in words, or null
 */
export async function provideWebGpu(): Promise<string | null> {
  if ((globalThis.navigator as { gpu?: unknown } | undefined)?.gpu) return null;
  const { createRequire } = globalThis.process?.getBuiltinModule?.('node:module') ?? {};
  if (!createRequire) return 'this browser has no WebGPU (navigator.gpu is missing)';
  try {
    const { create, globals } = createRequire(import.meta.url)('webgpu') as Dawn;
    Object.assign(globalThis, globals);
    if (!globalThis.navigator) Object.defineProperty(globalThis, 'navigator', { value: {}, configurable: true });
    Object.defineProperty(globalThis.navigator, 'gpu', { value: create([]), configurable: true });
    return null;
  } catch (error) {
    return `WebGPU under Node comes with the package webgpu, 0.6 or later: npm install webgpu (${firstLine(error)})`;
  }
}

/** Whether this is Node: there GL is headless, elsewhere it is the browser's WebGL 2. */
export function isNode(): boolean {
  return Boolean(globalThis.process?.versions?.node);
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n')[0]!;
}
