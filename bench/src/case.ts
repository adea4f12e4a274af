/** What one run of a case does, so that its time can be read as a share of what the machine can do. */
export type Work =
  | { readonly flops: number }
  | { readonly bytes: number }
  | { readonly tokens: number }
  | { readonly operations: number };

/** A case with its inputs made. */
export interface Prepared {
  /** One run; frees what it makes. Timed until the promise, if it gives one, is kept. */
  run(): unknown;
  /** Compares a result with one computed otherwise. @throws Error if it is wrong */
  check(): void | Promise<void>;
  dispose(): void;
}

/** One line of the report. */
export interface Case {
  /** `group/kind`, for example `product/nt`. */
  readonly name: string;
  readonly shape: string;
  readonly work: Work;
  prepare(): Prepared | Promise<Prepared>;
}
