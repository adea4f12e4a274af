import {
  BartForConditionalGeneration,
  BertForMaskedLM,
  DeepseekV2ForCausalLM,
  DistilBertForMaskedLM,
  GPT2LMHeadModel,
  GPTNeoForCausalLM,
  GPTNeoXForCausalLM,
  ModernBertForMaskedLM,
  Phi3ForCausalLM,
  RobertaForMaskedLM,
  T5ForConditionalGeneration,
  Transformer,
  tokenBatch,
  ViTForImageClassification,
} from '@burin/models';
import { Module } from '@burin/nn';
import { cpu, noGrad, scope, type Tensor, tensor } from '@burin/tensor';
import { EXACT, expectClose, seededRandom, type Tolerance } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { ids, rng, tinyLlama } from './support.js';

/** The same sums in another order, through two layers. */
const REORDERED: Tolerance = { rtol: 2e-5, atol: 1e-6 };

type Input = { labels?: Tensor | null; numItemsInBatch?: number | null } & Record<string, unknown>;
type Recomputing = { gradientCheckpointing: boolean };
type Trainable = Module & { forward(input: never): { loss: Tensor | null }; loss?(input: never): Tensor };

const SIZES = {
  ...{ vocabSize: 37, hiddenSize: 24, intermediateSize: 20, numHiddenLayers: 2, numAttentionHeads: 4 },
  initializerRange: 0.3,
};
const DISTIL = { vocabSize: 37, dim: 24, hiddenDim: 20, nLayers: 2, nHeads: 4, initializerRange: 0.3 };
const DEEPSEEK = {
  ...{
    ...SIZES,
    qLoraRank: null,
    kvLoraRank: 9,
    qkNopeHeadDim: 5,
    qkRopeHeadDim: 4,
    vHeadDim: 7,
    attentionDropout: 0.1,
  },
  ...{ moeIntermediateSize: 10, nRoutedExperts: 4, numExpertsPerTok: 2, firstKDenseReplace: 1 },
};
const T5 = { vocabSize: 37, dModel: 24, dKv: 5, dFf: 20, numLayers: 2, numHeads: 4 };
const BART = {
  ...{ vocabSize: 37, dModel: 24, encoderLayers: 2, decoderLayers: 2, encoderAttentionHeads: 4, initStd: 0.3 },
  ...{ decoderAttentionHeads: 3, encoderFfnDim: 20, decoderFfnDim: 28, maxPositionEmbeddings: 20 },
};
const FIRST = { srcVocab: 37, tgtVocab: 37, dModel: 24, nHeads: 4, nEncoderLayers: 2, nDecoderLayers: 2, dFf: 20 };
const ROWS = [
  [6, 5, 9, 2, 30],
  [4, 8, 3],
];

const causal = () => tokenBatch(ROWS, { vocabSize: 37, labels: true }) as unknown as Input;
const masked = (): Input => ({
  ...tokenBatch(ROWS, { vocabSize: 37 }),
  labels: ids([-100, 7, -100, 2, -100], [4, -100, 3, -100, -100]),
});
const target = (): Input => ({ ...tokenBatch(ROWS, { vocabSize: 37 }), labels: ids([4, 8, 3, 2], [6, 2, -100, -100]) });

/** BART's logits have a bias that is not learned, zeros in a new model. */
function bart(): BartForConditionalGeneration {
  const model = BartForConditionalGeneration.create(BART, { rng: rng(5) });
  scope(() => model.final_logits_bias.copy_(tensor(seededRandom(1).uniform(37, -1, 1), [1, 37])));
  return model;
}

/** Models with a loss of their own; `body` is what `gradientCheckpointing` is set on. */
const LANGUAGE_MODELS: [name: string, make: () => Trainable, input: () => Input, bodies: string[], head: string][] = [
  ['LlamaForCausalLM', () => tinyLlama(), causal, ['model'], 'lm_head'],
  [
    'GPT2LMHeadModel',
    () => GPT2LMHeadModel.create({ vocabSize: 37, nEmbd: 24, nLayer: 2, nHead: 4 }, { rng: rng(1) }),
    causal,
    ['transformer'],
    'lm_head',
  ],
  [
    'GPTNeoXForCausalLM',
    () => GPTNeoXForCausalLM.create({ ...SIZES, rotaryPct: 1 }, { rng: rng(2) }),
    causal,
    ['gpt_neox'],
    'embed_out',
  ],
  [
    'GPTNeoForCausalLM',
    () => GPTNeoForCausalLM.create({ vocabSize: 37, hiddenSize: 24, numLayers: 2, numHeads: 4 }, { rng: rng(3) }),
    causal,
    ['transformer'],
    'lm_head',
  ],
  ['Phi3ForCausalLM', () => Phi3ForCausalLM.create(SIZES, { rng: rng(4) }), causal, ['model'], 'lm_head'],
  [
    'DeepseekV2ForCausalLM',
    () => DeepseekV2ForCausalLM.create(DEEPSEEK, { rng: rng(12) }),
    causal,
    ['model'],
    'lm_head',
  ],
  [
    'BertForMaskedLM',
    () => BertForMaskedLM.create(SIZES, { rng: rng(5) }),
    masked,
    ['bert'],
    'cls.predictions.decoder',
  ],
  [
    'RobertaForMaskedLM',
    () => RobertaForMaskedLM.create(SIZES, { rng: rng(6) }),
    masked,
    ['roberta'],
    'lm_head.decoder',
  ],
  [
    'DistilBertForMaskedLM',
    () => DistilBertForMaskedLM.create(DISTIL, { rng: rng(7) }),
    masked,
    ['distilbert'],
    'vocab_projector',
  ],
  [
    'ModernBertForMaskedLM',
    () => ModernBertForMaskedLM.create({ ...SIZES, padTokenId: 0, mlpDropout: 0.1 }, { rng: rng(11) }),
    masked,
    ['model'],
    'decoder',
  ],
  [
    'T5ForConditionalGeneration',
    () => T5ForConditionalGeneration.create(T5, { rng: rng(8) }),
    target,
    ['encoder', 'decoder'],
    'lm_head',
  ],
  ['BartForConditionalGeneration', bart, target, ['model.encoder', 'model.decoder'], 'lm_head'],
  ['Transformer', () => Transformer.create(FIRST, { rng: rng(9) }), target, [''], 'generator'],
];

const VIT: (typeof LANGUAGE_MODELS)[number] = [
  'ViTForImageClassification',
  () =>
    ViTForImageClassification.create(
      {
        ...{ hiddenSize: 24, intermediateSize: 20, numHiddenLayers: 2, numAttentionHeads: 4, initializerRange: 0.3 },
        ...{ imageSize: 8, patchSize: 4, numChannels: 1, numLabels: 3 },
      },
      { rng: rng(10) },
    ),
  () => ({ pixelValues: tensor(seededRandom(4).normal(128), [2, 1, 8, 8]), labels: tensor(Int32Array.of(2, 0)) }),
  ['vit'],
  'classifier',
];

/** Loss and gradients by name, in training mode without dropout. */
async function train(model: Trainable, run: (model: Trainable) => Tensor) {
  model.zeroGrad();
  const loss = scope(() => {
    const loss = run(model);
    loss.backward();
    return loss.detach();
  });
  const gradients = new Map<string, ArrayLike<number>>();
  for (const [name, { grad }] of model.namedParameters()) if (grad) gradients.set(name, await grad.data());
  return { loss: await loss.item(), gradients };
}

function expectSame(a: Awaited<ReturnType<typeof train>>, b: Awaited<ReturnType<typeof train>>, tolerance: Tolerance) {
  expectClose([a.loss], [b.loss], tolerance, 'loss');
  expect([...a.gradients.keys()]).toEqual([...b.gradients.keys()]);
  for (const [name, gradient] of a.gradients) expectClose(gradient, b.gradients.get(name)!, tolerance, name);
}

/** What an adapter is to a head: a layer around it. */
class Around extends Module {
  readonly inner: Module & { forward(x: Tensor): Tensor };

  constructor(inner: Around['inner']) {
    super();
    this.inner = inner;
  }

  forward(x: Tensor): Tensor {
    return this.inner.forward(x);
  }
}

describe.each(LANGUAGE_MODELS)('%s.loss', (_name, make, input, _bodies, head) => {
  it.each([null, 11])('is the loss of forward, with its gradients (numItemsInBatch %s)', async (numItemsInBatch) => {
    const model = make().eval();
    const given = () => ({ ...input(), numItemsInBatch }) as never;
    const whole = await train(model, (each) => each.forward(given()).loss!);
    const blocks = await train(model, (each) => each.loss!(given()));
    expectSame(blocks, whole, REORDERED);
  });

  it('is the same through a head that something wraps', async () => {
    const model = make().eval();
    const run = (each: Trainable) => noGrad(() => each.loss!(input() as never));
    const plain = await run(model).item();
    model.replaceModule(head, new Around(model.getModule(head) as Around['inner']));
    expectClose([await run(model).item()], [plain], REORDERED);
  });

  it('wants labels', () => {
    expect(() => scope(() => make().loss!({ ...input(), labels: null } as never))).toThrow('loss: labels are needed');
  });
});

describe.each([...LANGUAGE_MODELS, VIT])('gradientCheckpointing of %s', (_name, make, input, bodies) => {
  const trained = (model: Trainable) => train(model, (each) => each.forward(input() as never).loss!);

  it('changes neither loss nor gradients, dropout included', async () => {
    const [plain, recomputing] = [make(), make()]; // of one seed: they draw the same
    for (const path of bodies) (recomputing.getModule(path) as unknown as Recomputing).gradientCheckpointing = true;
    // several layers of a decoder add to the gradient of the encoder's states, here in another order
    const tolerance = input === target ? REORDERED : EXACT;
    expectSame(await trained(recomputing), await trained(plain), tolerance);
  });

  it('keeps less for the backward pass', () => {
    const kept = (recompute: boolean) => {
      const model = make();
      for (const path of bodies) (model.getModule(path) as unknown as Recomputing).gradientCheckpointing = recompute;
      const given = input();
      return scope(() => {
        const before = cpu().memory.liveBytes;
        const { loss } = scope(() => ({ loss: model.forward(given as never).loss! }));
        expect(loss.size).toBe(1);
        return cpu().memory.liveBytes - before;
      });
    };
    kept(true); // the first builds tables that stay
    expect(kept(true)).toBeLessThan(kept(false));
  });
});
