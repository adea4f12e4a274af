import { crossEntropy, Linear, Module } from '@burin/nn';
import type { AdamW, SGD } from '@burin/optim-paged';
import { Generator, type Tensor } from '@burin/tensor';
import {
  type Collator,
  causalLmCollator,
  type Example,
  type Metrics,
  resolveArguments,
  type TextBatch,
  Trainer,
  type TrainerOptimizer,
  type TrainResult,
} from '@burin/trainer';
import { expectTypeOf, test } from 'vitest';

class Classifier extends Module {
  readonly head = new Linear(2, 2, { rng: new Generator(1) });

  forward({ inputIds, labels = null }: { inputIds: Tensor; labels?: Tensor | null; numItemsInBatch?: number | null }) {
    const logits = this.head.forward(inputIds);
    return { logits, loss: labels && crossEntropy(logits, labels), hiddenStates: null };
  }
}

class NoLoss extends Module {
  forward(x: Tensor): Tensor {
    return x;
  }
}

const model = new Classifier();
const trainDataset: Example[] = [{ inputIds: [1, 2], labels: 0 }];

test('a trainer knows its model', () => {
  const trainer = new Trainer({ model, trainDataset });
  expectTypeOf(trainer.model).toEqualTypeOf<Classifier>();
  expectTypeOf(trainer.train()).resolves.toEqualTypeOf<TrainResult>();
  expectTypeOf(trainer.evaluate()).resolves.toEqualTypeOf<Metrics>();
  // @ts-expect-error: forward must return an object with a loss
  new Trainer({ model: new NoLoss(), trainDataset });
});

test('arguments are checked', () => {
  resolveArguments({ learningRate: 1e-3, evalStrategy: 'epoch', saveTotalLimit: undefined });
  // @ts-expect-error: the argument is learningRate
  resolveArguments({ learning_rate: 1e-3 });
  // @ts-expect-error: a strategy is 'no', 'steps' or 'epoch'
  resolveArguments({ evalStrategy: 'step' });
});

test('examples of any kind go with a collator of their own', () => {
  const collator: Collator<{ text: string }> = () => ({ inputs: {} });
  new Trainer({ model, trainDataset: [{ text: 'a' }], collator });
  // @ts-expect-error: these are no examples of the collator
  new Trainer({ model, trainDataset: [{ inputIds: [1] }], collator });
  expectTypeOf(causalLmCollator()).toEqualTypeOf<Collator<Example, TextBatch>>();
});

test('the optimizers of optim-paged fit', () => {
  expectTypeOf<AdamW>().toExtend<TrainerOptimizer>();
  expectTypeOf<SGD>().toExtend<TrainerOptimizer>();
});
