import {
  type AnyModel,
  BertForSequenceClassification,
  type ByteTokenizer,
  canGenerate,
  fromPretrained,
  GPT2LMHeadModel,
  generate,
  generateFromEncoder,
  generateStream,
  LlamaForCausalLM,
  LlamaForSequenceClassification,
  type Seq2SeqModel,
  type StreamedToken,
  type T5ForConditionalGeneration,
  type TextTokenizer,
  tokenBatch,
} from '@burin/models';
import { Generator, type Tensor } from '@burin/tensor';
import { expectTypeOf, test } from 'vitest';

declare const model: LlamaForCausalLM;
declare const ids: Tensor;
const rng = new Generator(0);
const sizes = { vocabSize: 9, hiddenSize: 8, intermediateSize: 8, numHiddenLayers: 1, numAttentionHeads: 2 };

test('a signal of the platform ends generation', () => {
  generate(model, [[1]], { signal: new AbortController().signal });
  // @ts-expect-error: the signal, not its controller
  generate(model, [[1]], { signal: new AbortController() });
});

test('what a folder held can be told apart', async () => {
  const any = await fromPretrained('x');
  // @ts-expect-error: it may be a classifier
  generate(any, [[1]]);
  if (canGenerate(any)) generate(any, [[1]]);
  if (canGenerate(model)) expectTypeOf(model).toEqualTypeOf<LlamaForCausalLM>();
});

test('models are made by their own names', () => {
  expectTypeOf(LlamaForCausalLM.create(sizes, { rng })).toEqualTypeOf<LlamaForCausalLM>();
  expectTypeOf(LlamaForCausalLM.fromPretrained('x')).resolves.toEqualTypeOf<LlamaForCausalLM>();
  expectTypeOf(fromPretrained('x')).resolves.toEqualTypeOf<AnyModel>();
  LlamaForCausalLM.create({ ...sizes, modelType: 'mistral', slidingWindow: 4 }, { rng });
  LlamaForSequenceClassification.fromCausal(model, { numLabels: 2, rng });
  // @ts-expect-error: random weights need a generator
  LlamaForCausalLM.create(sizes);
  // @ts-expect-error: the sizes must be given
  LlamaForCausalLM.create({ vocabSize: 9 }, { rng });
  // @ts-expect-error: the biases follow from `attentionBias`
  LlamaForCausalLM.create({ ...sizes, qkvBias: true }, { rng });
  // @ts-expect-error: an activation that is there
  BertForSequenceClassification.create({ ...sizes, hiddenAct: 'sine' }, { rng });
});

test('inputs and outputs', () => {
  expectTypeOf(model.forward({ inputIds: ids }).loss).toEqualTypeOf<Tensor | null>();
  expectTypeOf(tokenBatch([[1]], { vocabSize: 9 }).attentionMask).toEqualTypeOf<Tensor>();
  expectTypeOf(generate(model, [[1]])).resolves.toEqualTypeOf<number[][]>();
  expectTypeOf<ByteTokenizer>().toExtend<TextTokenizer>();
  // @ts-expect-error: `inputIds`, as in code
  model.forward({ input_ids: ids });
  // @ts-expect-error: rows of ids
  generate(model, [1, 2, 3]);
  // @ts-expect-error: an encoder has no cache
  BertForSequenceClassification.create(sizes, { rng }).forward({ inputIds: ids, cache: [] });
});

test('families share how models are made', () => {
  const gpt2 = GPT2LMHeadModel.create({ vocabSize: 9, nEmbd: 8, nLayer: 1, nHead: 2 }, { rng });
  expectTypeOf(gpt2).toEqualTypeOf<GPT2LMHeadModel>();
  expectTypeOf(GPT2LMHeadModel.fromPretrained('x')).resolves.toEqualTypeOf<GPT2LMHeadModel>();
  expectTypeOf(generate(gpt2, [[1]])).resolves.toEqualTypeOf<number[][]>();
  expectTypeOf<T5ForConditionalGeneration>().toExtend<Seq2SeqModel>();
  // @ts-expect-error: GPT-2's own names
  GPT2LMHeadModel.create(sizes, { rng });
  expectTypeOf(generateFromEncoder({} as T5ForConditionalGeneration, [[1]])).resolves.toEqualTypeOf<number[][]>();
});

test('generation takes decoders and encoder-decoders, and a stream a tokenizer', () => {
  const tokenizer = {} as ByteTokenizer;
  const t5 = {} as T5ForConditionalGeneration;
  expectTypeOf(generate(t5, [[1]], { numBeams: 2, earlyStopping: 'never' })).resolves.toEqualTypeOf<number[][]>();
  const stream = generateStream(model, [1], { tokenizer });
  expectTypeOf(stream).toEqualTypeOf<AsyncGenerator<StreamedToken, void, undefined>>();
  // @ts-expect-error: text needs a tokenizer
  generateStream(model, [1], {});
  // @ts-expect-error: one prompt
  generateStream(model, [[1]], { tokenizer });
  // @ts-expect-error: no such cache
  generate(model, [[1]], { cache: 'paged' });
});
