// node --import tsx --conditions=@burin/source scripts/gpu/probe.mjs BACKEND: opens the GPU and says which it is. Ends with
// 2 where there is none, with 1 where there is one that fails.
import { gpu } from '../../packages/tensor/src/gpu/index.ts';

const MISSING = 2;
try {
  console.log((await gpu({ backend: process.argv[2] })).describe());
  process.exit(0);
} catch (error) {
  console.log(error.message);
  process.exit(/no GPU could be opened|could not be loaded/.test(error.message) ? MISSING : 1);
}
