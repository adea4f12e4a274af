import type { LinearLike, Module } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import { expectTypeOf, test } from 'vitest';
import { type ConversionReport, Linear4bit, type QuantizedTensor, quantize4bit, quantizeModel } from '../src/index.js';

declare const x: Tensor;
declare const model: Module;

test('a 4-bit Linear stands for a Linear', () => {
  expectTypeOf<Linear4bit>().toExtend<LinearLike>();
  expectTypeOf(Linear4bit.fromLinear).returns.resolves.toEqualTypeOf<Linear4bit>();
});

test('options are checked', () => {
  expectTypeOf(quantize4bit(x, { type: 'fp4' })).resolves.toEqualTypeOf<QuantizedTensor>();
  expectTypeOf(quantizeModel(model, { skipModules: [/head/] })).resolves.toEqualTypeOf<ConversionReport>();
  // @ts-expect-error: there are two types
  quantize4bit(x, { type: 'int4' });
  // @ts-expect-error: the option is `blockSize`
  quantize4bit(x, { blocksize: 64 });
});
