/** Where an optimizer keeps its state. None of these changes a single bit of the trained parameters. */
export interface PagingOptions {
  /**
   * Bytes of a page, all states of its elements together. Default 1 MiB, or half of `deviceBytes` if that is less. A
   * multiple of 16 for each state (AdamW: 32), so that each state of a page starts at a multiple of four elements.
   */
  pageBytes?: number;
  /**
   * The most bytes of state on the device at once; the rest waits in host memory. At least one page; from two pages on,
   * the next one is brought in while one is worked on. Default: as much as the device's own memory budget allows.
   */
  deviceBytes?: number;
  /** Path of a file that does not exist yet: pages leave the device for it, not for host memory. Removed by `dispose()`. */
  file?: string;
}

const DEFAULT_PAGE_BYTES = 2 ** 20;
const ALIGNMENT = 16; // bytes: four float32 elements, one SIMD register

/**
 * Page size and limit, checked.
 *
 * @param states - states kept for each element of a parameter
 * @throws RangeError that says what would do
 */
export function resolvePaging(
  who: string,
  states: number,
  { pageBytes, deviceBytes = Number.POSITIVE_INFINITY }: PagingOptions,
): { pageBytes: number; deviceBytes: number } {
  if (!(deviceBytes > 0)) {
    throw new RangeError(`${who}: deviceBytes must be a number of bytes greater than 0, got ${deviceBytes}`);
  }
  const unit = ALIGNMENT * states;
  const bytes = pageBytes ?? Math.max(unit, Math.min(DEFAULT_PAGE_BYTES, floorTo(unit, deviceBytes / 2)));
  if (!Number.isSafeInteger(bytes) || bytes < unit || bytes % unit !== 0) {
    const near = Math.max(unit, floorTo(unit, Number.isFinite(bytes) ? bytes : DEFAULT_PAGE_BYTES));
    throw new RangeError(
      `${who}: pageBytes must be a multiple of ${unit} (4 float32 elements of each of ${states} state${states > 1 ? 's' : ''}), ` +
        `got ${bytes}; ${near} would do`,
    );
  }
  if (!(deviceBytes >= bytes)) {
    throw new RangeError(
      `${who}: deviceBytes must hold a page at least: expected ${bytes} or more, got ${deviceBytes}; ` +
        `raise it, or make pageBytes smaller (a multiple of ${unit})`,
    );
  }
  return { pageBytes: bytes, deviceBytes };
}

function floorTo(unit: number, bytes: number): number {
  return Math.floor(bytes / unit) * unit;
}
