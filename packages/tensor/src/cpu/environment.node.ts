/** An environment variable; undefined where it is not set or empty, and in browsers. */
export function environmentVariable(name: string): string | undefined {
  return globalThis.process?.env?.[name] || undefined;
}
