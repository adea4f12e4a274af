/**
 * What a worker thread in Node needs to call the BLAS, as text: see worker-source.ts. `connectBlas(memory, recipe)` gives
 * the sgemm that kernels import. The library is opened at the first call, since workers may be older than the search for
 * it; `recipe()` reads the `Blas.recipe` of the calling thread. Some libraries count their threads for each thread of
 * ours, so each tells them. A shared memory never moves. Written out whole: a text with names in it stays in every bundle.
 */
export const BLAS_WORKER_SOURCE = `
function connectBlas(memory, recipe) {
  let call = null;
  let base = 0;

  function open() {
    const { koffi: path, file, sgemm, setThreads } = JSON.parse(recipe());
    try {
      const koffi = require(path);
      const library = koffi.load(file);
      for (const prototype of setThreads) library.func(prototype)(1);
      base = Number(koffi.address(new Uint8Array(memory.buffer)));
      call = library.func(sgemm);
    } catch (error) {
      throw new Error('it cannot load ' + file + ': ' + error.message.split('\\n')[0] + '; BURIN_BLAS=off does without');
    }
  }

  return (transposeA, transposeB, m, n, k, alpha, a, aWidth, b, bWidth, beta, y, yWidth) => {
    if (call === null) open();
    const [aKind, bKind] = [transposeA ? 112 : 111, transposeB ? 112 : 111]; // as in blas.node.ts
    const [aAt, bAt, yAt] = [base + (a >>> 0), base + (b >>> 0), base + (y >>> 0)];
    call(101, aKind, bKind, m, n, k, alpha, aAt, aWidth, bAt, bWidth, beta, yAt, yWidth);
  };
}
`;
