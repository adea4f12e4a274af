import { join } from 'node:path';
import { writeFileAtomic, writeFolderAtomic, writeSafetensorsFile } from '@burin/checkpoint';

// Writes one generation after another until it is killed: `kill-writer.ts file|folder FOLDER`. See kill.test.ts.

const [what, folder] = process.argv.slice(2) as [string, string];

async function writeWeights(path: string, generation: number): Promise<void> {
  const data = () => new Uint8Array(500_000).fill(generation & 255);
  await writeSafetensorsFile(path, [{ name: 'weight', dtype: 'U8', shape: [500_000], data }], {
    generation: String(generation),
  });
}

async function writeFolder(path: string, generation: number): Promise<void> {
  await writeFolderAtomic(
    path,
    async (aside) => {
      await writeWeights(join(aside, 'm.safetensors'), generation);
      await writeFileAtomic(join(aside, 'state.json'), JSON.stringify({ generation }));
    },
    { replace: true },
  );
}

for (let generation = 0; ; generation++) {
  if (what === 'file') await writeWeights(join(folder, 'm.safetensors'), generation);
  else await writeFolder(join(folder, 'checkpoint'), generation);
  if (generation === 0) process.stdout.write('writing\n');
}
