import { DeviceError } from '../errors.js';
import type { Blas, SgemmArguments } from './blas.node.js';

/** How the kernels of the calling thread reach a BLAS that may be found long after they were made. */
export class BlasLink {
  readonly #memory: WebAssembly.Memory;
  #blas: Blas | null = null;

  constructor(memory: WebAssembly.Memory) {
    this.#memory = memory;
  }

  /** What the kernels import. */
  readonly sgemm = (...product: SgemmArguments): void => {
    if (this.#blas === null)
      throw new DeviceError('cpu: a kernel asked for a product by a BLAS, and none is connected');
    this.#blas.sgemm(this.#memory.buffer, ...product);
  };

  /** Returns whether this is another library than before. */
  connect(blas: Blas): boolean {
    const isNew = blas !== this.#blas;
    this.#blas = blas;
    return isNew;
  }
}
