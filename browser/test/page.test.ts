import { blobSource } from '@burin/checkpoint';
import { adapterFiles, applyLora, loadAdapter } from '@burin/lora';
import { LlamaForCausalLM, tokenBatch } from '@burin/models';
import { Generator, setDefaultDevice } from '@burin/tensor';
import { beforeEach, expect, it } from 'vitest';

const SIZES = { vocabSize: 37, hiddenSize: 24, intermediateSize: 20, numHiddenLayers: 2, numAttentionHeads: 4 };
/** Far more than a frame takes; reached only where the page gets none. */
const LIMIT_MS = 4000;

beforeEach(() => setDefaultDevice('cpu'));

const newModel = () => LlamaForCausalLM.create({ ...SIZES, initializerRange: 0.3 }, { rng: new Generator(1) });

it('paints while it trains on the CPU in its main thread', async () => {
  const model = newModel();
  const batch = tokenBatch([[6, 5, 9, 2, 30, 1, 7]], { vocabSize: SIZES.vocabSize, labels: true });
  let painted = 0;
  requestAnimationFrame(() => {
    painted++;
    requestAnimationFrame(() => painted++);
  });
  const end = performance.now() + LIMIT_MS;
  while (painted < 2 && performance.now() < end) {
    const { loss } = model.forward(batch);
    expect(await loss!.item()).toBeGreaterThan(0);
    loss!.backward();
    model.zeroGrad();
  }
  expect(painted).toBe(2);
});

it('gives an adapter out as files, and takes it back', async () => {
  const lora = applyLora(newModel(), { rank: 4, targetModules: 'q_proj', rng: new Generator(2) });
  for (const [name, parameter] of lora.adapterParameters('default')) if (name.includes('lora_B')) parameter.fill_(0.1);
  const files = await adapterFiles(lora);
  const picked = [...files].map(([name, bytes]) => new File([bytes], name));
  const loaded = await loadAdapter(newModel(), new Map(picked.map((file) => [file.name, blobSource(file)])));
  const batch = tokenBatch([[6, 5, 9]], { vocabSize: SIZES.vocabSize });
  const [expected, got] = await Promise.all([lora, loaded].map(({ model }) => model.forward(batch).logits.data()));
  expect(got).toEqual(expected);
});
