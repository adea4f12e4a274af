import { MemoryError, type MemoryPressure, type PressureListener } from './memory.js';

/** The counting half of a device's memory: what is held, the budget, and who is told before it is exceeded. */
export class MemoryBooks {
  liveBytes = 0;
  peakBytes = 0;
  liveBuffers = 0;
  readonly #device: string;
  readonly #listeners = new Set<PressureListener>();
  #budget = Number.POSITIVE_INFINITY;

  /** @param device - who complains: `cpu`, `gpu` */
  constructor(device: string) {
    this.#device = device;
  }

  get budget(): number {
    return this.#budget;
  }

  set budget(bytes: number) {
    if (!(bytes >= 0)) throw new RangeError(`memory: budget must be 0 bytes or more, got ${bytes}`);
    this.#budget = bytes;
  }

  resetPeak(): void {
    this.peakBytes = this.liveBytes;
  }

  onPressure(listener: PressureListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  protected counted(byteLength: number): void {
    this.liveBytes += byteLength;
    this.liveBuffers += 1;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
  }

  protected uncounted(byteLength: number): void {
    this.liveBytes -= byteLength;
    this.liveBuffers -= 1;
  }

  /** Asks the listeners, in the order they came, until the budget holds `byteLength` more. */
  protected fitBudget(byteLength: number): void {
    if (this.liveBytes + byteLength <= this.#budget) return;
    const shortfall = () => this.liveBytes + byteLength - this.#budget;
    for (const listener of [...this.#listeners]) {
      if (shortfall() <= 0) return;
      listener(pressure(byteLength, shortfall()));
    }
    if (shortfall() <= 0) return;
    throw new MemoryError(
      `${this.#device}: the allocation does not fit the memory budget: requested ${inWords(byteLength)}, live ` +
        `${inWords(this.liveBytes)} in ${this.liveBuffers} buffers, budget ${inWords(this.#budget)}; free ` +
        `${inWords(shortfall())} (end a scope, make the batch or the sequences smaller, use checkpoint or a 4-bit base), ` +
        'or raise device.memory.budget',
    );
  }

  /** Tells the listeners, one after the other, that memory itself has run out, until `attempt` succeeds. */
  protected underPressure<T>(byteLength: number, attempt: () => T | null): T | null {
    for (const listener of [...this.#listeners]) {
      listener(pressure(byteLength, byteLength));
      const got = attempt();
      if (got !== null) return got;
    }
    return null;
  }
}

/** @throws RangeError unless `byteLength` is a size */
export function checkByteLength(byteLength: number): void {
  if (Number.isSafeInteger(byteLength) && byteLength >= 0) return;
  throw new RangeError(`memory: byteLength must be a whole number of 0 or more, got ${byteLength}`);
}

function pressure(requestedBytes: number, shortfallBytes: number): MemoryPressure {
  return { requestedBytes, shortfallBytes };
}

/** Exact below 10 KiB, so that small budgets in tests and examples read well. */
export function inWords(count: number): string {
  const units = ['KiB', 'MiB', 'GiB'];
  if (count < 10240) return `${count} bytes`;
  let value = count / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}
