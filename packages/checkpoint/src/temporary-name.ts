/** What a name aside stands for: something half-written, or the old folder while a new one takes its place. */
export type TemporaryKind = 'new' | 'old';

/** Who made a name aside, and for what. */
export interface TemporaryName {
  readonly kind: TemporaryKind;
  /** The name that it is for, in the same folder. */
  readonly target: string;
  readonly pid: number;
  readonly threadId: number;
  /** Tells apart the writes of one thread. */
  readonly count: number;
}

const PATTERN = /^\.(.+)\.(\d+)-(\d+)-(\d+)\.burin-(new|old)$/s;

/** Hidden, next to its target: `.model.safetensors.4711-0-3.burin-new`. */
export function formatTemporary({ kind, target, pid, threadId, count }: TemporaryName): string {
  return `.${target}.${pid}-${threadId}-${count}.burin-${kind}`;
}

/** The parts of a name aside, or undefined where it is a name of something else. */
export function parseTemporary(name: string): TemporaryName | undefined {
  const match = PATTERN.exec(name);
  if (!match) return undefined;
  const [, target, pid, threadId, count, kind] = match as unknown as [
    string,
    string,
    string,
    string,
    string,
    TemporaryKind,
  ];
  return { kind, target, pid: Number(pid), threadId: Number(threadId), count: Number(count) };
}

export function isTemporary(name: string): boolean {
  return PATTERN.test(name);
}
