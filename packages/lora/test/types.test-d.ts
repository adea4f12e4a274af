import type { Linear } from '@burin/nn';
import { Generator } from '@burin/tensor';
import { expectTypeOf, test } from 'vitest';
import {
  applyLora,
  type LoraModel,
  loadAdapter,
  type MergeReport,
  type SaveReport,
  saveAdapter,
} from '../src/index.js';
import type { OneLinear } from './layers.js';

declare const model: OneLinear;
const rng = new Generator(0);

test('the model keeps its type', () => {
  const lora = applyLora(model, { rng });
  expectTypeOf(lora).toEqualTypeOf<LoraModel<OneLinear>>();
  expectTypeOf(lora.model.layer).toEqualTypeOf<Linear>();
  expectTypeOf(lora.mergeAndUnload()).resolves.toEqualTypeOf<{ model: OneLinear; report: MergeReport }>();
  expectTypeOf(loadAdapter(model, 'folder')).resolves.toEqualTypeOf<LoraModel<OneLinear>>();
  expectTypeOf(loadAdapter(lora, 'folder')).resolves.toEqualTypeOf<LoraModel<OneLinear>>();
  expectTypeOf(saveAdapter(lora, 'folder')).resolves.toEqualTypeOf<SaveReport>();
});

test('options are checked', () => {
  applyLora(model, { targetModules: ['q_proj', /v_proj/], bias: 'lora_only', taskType: 'SEQ_CLS', rng });
  // @ts-expect-error: random numbers come in as an argument
  applyLora(model, {});
  // @ts-expect-error: the option is `rank`
  applyLora(model, { r: 8, rng });
  // @ts-expect-error: one of three words
  applyLora(model, { bias: 'some', rng });
});
