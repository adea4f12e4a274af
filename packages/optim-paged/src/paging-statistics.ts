/** What paging has done since the optimizer was made, and where its pages are now. */
export interface PagingStatistics {
  /** Pages copied from the host to the device; a page that is used for the first time is not copied, but zeroed. */
  readonly pagesIn: number;
  /** Pages copied from the device to the host. */
  readonly pagesOut: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Pages that left the device without a copy, since the host's was still good. */
  readonly writeBacksAvoided: number;
  /** How often a step stood still for a page that had not been brought in before its turn, and for how long. */
  readonly waits: number;
  readonly waitMilliseconds: number;
  /** Now: pages there are, and bytes of all. */
  readonly pages: number;
  readonly stateBytes: number;
  /** Now: pages on the device, and their bytes. */
  readonly pagesOnDevice: number;
  readonly deviceBytes: number;
  /** Now: bytes of pages in host memory, or in the file. */
  readonly hostBytes: number;
}

/** The counts that grow; see {@link PagingStatistics}. */
export class PagingCounts {
  pagesIn = 0;
  pagesOut = 0;
  bytesIn = 0;
  bytesOut = 0;
  writeBacksAvoided = 0;
  waits = 0;
  waitMilliseconds = 0;
}
