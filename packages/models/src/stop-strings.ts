/** Watches a text that comes in pieces for strings that end it; what may be the beginning of one is held back. */
export class StopStrings {
  private readonly strings: readonly string[];
  private held = '';
  /** Whether one was found. Nothing comes after it. */
  stopped = false;

  constructor(strings: readonly string[]) {
    this.strings = strings;
  }

  /** What may be given out: all before a string that was found, else all but what may yet become one. */
  push(text: string): string {
    this.held += text;
    const found = this.strings.map((string) => this.held.indexOf(string)).filter((at) => at >= 0);
    if (found.length > 0) {
      this.stopped = true;
      return this.take(Math.min(...found));
    }
    return this.take(this.held.length - this.pending());
  }

  /** What was held back, when no more comes. */
  flush(): string {
    return this.stopped ? '' : this.take(this.held.length);
  }

  /** Characters at the end that begin one of the strings. */
  private pending(): number {
    const longest = Math.max(0, ...this.strings.map((string) => string.length - 1));
    for (let length = Math.min(longest, this.held.length); length > 0; length--) {
      const end = this.held.slice(-length);
      if (this.strings.some((string) => string.startsWith(end))) return length;
    }
    return 0;
  }

  private take(length: number): string {
    const taken = this.held.slice(0, length);
    this.held = this.held.slice(length);
    return taken;
  }
}
