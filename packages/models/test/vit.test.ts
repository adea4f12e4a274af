import { ViTForImageClassification } from '@burin/models';
import { tensor } from '@burin/tensor';
import { expectClose, expectFixture, fixtureTensor, readFixture, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { expectGradients, expectSameFromFolder } from './promises.js';
import { fixtureFolder, ids, rng, temporaryFolders } from './support.js';

const folder = temporaryFolders();
const SIZES = {
  ...{ hiddenSize: 12, intermediateSize: 20, numHiddenLayers: 2, numAttentionHeads: 3, initializerRange: 0.3 },
  ...{ imageSize: 6, patchSize: 2, numChannels: 2, numLabels: 3 },
};
const make = (options: object = {}) => ViTForImageClassification.create({ ...SIZES, ...options }, { rng: rng(1) });
const images = () => tensor(Float32Array.from(seededRandom(2).uniform(2 * 2 * 36, -1, 1)), [2, 2, 6, 6]);
const run = (model: ViTForImageClassification) =>
  model.forward({ pixelValues: images(), labels: ids([2, 0]).reshape([2]) });

describe('ViT', () => {
  it('agrees with transformers', async () => {
    const fixture = readFixture('models', 'vit_classification');
    const model = await ViTForImageClassification.fromPretrained(fixtureFolder('vit_classification'));
    const { logits, loss, hiddenStates } = model.forward({
      pixelValues: fixtureTensor(fixture, 'pixel_values'),
      labels: fixtureTensor(fixture, 'labels'),
      outputHiddenStates: true,
    });
    loss!.backward();
    await expectFixture(fixture, 'logits', logits);
    for (const [i, states] of hiddenStates!.entries()) await expectFixture(fixture, `hidden.${i}`, states);
    const expected = fixture.manifest.expected_values!.loss as number;
    expectClose([await loss!.item()], [expected], { rtol: 1e-5, atol: 3e-5 }); // the manifest's
    const parameters = new Map(model.namedParameters());
    for (const key of Object.keys(fixture.manifest.tensors).filter((name) => name.startsWith('grad.'))) {
      await expectFixture(fixture, key, parameters.get(key.slice(5))!.grad);
    }
  });

  it('comes back from a folder as it was', async () => {
    await expectSameFromFolder(make({ qkvBias: false }), folder('vit'), run);
  });

  it('has the gradients of its loss', async () => {
    await expectGradients(make(), run);
  });

  it('refuses images and options that do not fit', () => {
    expect(() => make().forward({ pixelValues: images().reshape([1, 4, 6, 6]) })).toThrow(
      'ViTModel: pixelValues must be images: expected [1,2,6,6], got [1,4,6,6]',
    );
    expect(() => make({ patchSize: 4 })).toThrow('patch_size must be a divisor of image_size 6, got 4');
    expect(() => make({ numAttentionHeads: 5 })).toThrow('num_attention_heads must be a divisor of hidden_size 12');
  });
});
