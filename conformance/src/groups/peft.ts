import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { type ByteSource, fileSource, removeFolder } from '@burin/checkpoint';
import { type LoraModel, loadAdapter, saveAdapter } from '@burin/lora';
import { type AnyModel, fromPretrained, type LlamaForCausalLM } from '@burin/models';
import { clipGradNorm_ } from '@burin/norm';
import { type FourBitType, quantizedState, quantizeModel } from '@burin/quant-nf4';
import { noGrad, type Tensor } from '@burin/tensor';
import { type Case, readFile } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import { type Check, type Outcome, read } from '../outcome.js';
import { batchOf, checkPlan, inputOf } from './batch.js';
import { checkpointChecks } from './four-bit-checkpoint.js';
import { optimizerOf } from './optimizer-of.js';

const ADAPTER = 'default';
const PREFIX = 'base_model.model.'; // what PEFT puts before a dotted name

type Tensors = Record<string, HostTensor>;

/** Fine-tuning with an adapter from end to end: load, quantize, train, save, merge. */
export async function peft(c: Case): Promise<Outcome> {
  const model = await fromPretrained(c.folder);
  try {
    const also = c.config.has('quantization') ? await quantize(c, model) : [];
    const lora = await loadAdapter(model, await adapterFiles(c, 'adapter_init'), { trainable: true });
    const run = new FineTuning(c, lora);
    const before = await run.logits('logits_before');
    const { losses, gradients } = await run.train();
    const after = await run.logits('logits_after');
    const values = { losses, final_losses_per_batch: await run.lossesPerBatch() };
    const files = { [basename(c.path('adapter_final'))]: await saved(lora) };
    also.push(await storedAdapterCheck(c, run));
    return { tensors: { ...before, ...gradients, ...after, ...(await run.merged()) }, values, files, also };
  } finally {
    model.zeroGrad();
    model.dispose();
  }
}

/** Quantizes the projections; they must be what bitsandbytes has made of them. */
async function quantize(c: Case, model: AnyModel): Promise<Check[]> {
  const config = c.config.table('quantization');
  await quantizeModel(model, {
    type: config.text('quant_type') as FourBitType,
    blockSize: config.number('blocksize'),
    doubleQuant: config.flag('double_quant'),
  });
  return checkpointChecks(await readFile(c.path('base_quantized')), await quantizedState(model));
}

/** The adapter's folder as PEFT would have it, with the weights of one of the case's files. */
async function adapterFiles(c: Case, weights: string): Promise<Map<string, ByteSource>> {
  return new Map([
    ['adapter_config.json', await fileSource(c.path('adapter_config'))],
    ['adapter_model.safetensors', await fileSource(c.path(weights))],
  ]);
}

/** What `saveAdapter` writes. */
async function saved(lora: LoraModel): Promise<Tensors> {
  const folder = await mkdtemp(join(tmpdir(), 'burin-conformance-'));
  try {
    await saveAdapter(lora, `${folder}/adapter`);
    return Object.fromEntries(await readFile(`${folder}/adapter/adapter_model.safetensors`));
  } finally {
    await removeFolder(folder);
  }
}

/** The adapter that PEFT has trained, on this base, gives the logits that it gave there. */
async function storedAdapterCheck(c: Case, run: FineTuning): Promise<Check> {
  const adapterName = 'stored';
  await loadAdapter(run.lora, await adapterFiles(c, 'adapter_final'), { adapterName });
  run.lora.setActive(adapterName);
  const { logits } = await run.logits('logits');
  run.lora.setActive(ADAPTER);
  run.lora.deleteAdapter(adapterName);
  const real = ({ data }: Pick<HostTensor, 'data'>) => {
    const mask = run.maskOf(0).data;
    const width = data.length / mask.length;
    return Array.from(data).filter((_, i) => mask[Math.floor(i / width)] === 1);
  };
  return {
    name: 'logits of the stored adapter',
    actual: real(logits!),
    expected: real(c.host('logits_after')),
    tolerance: c.manifest.tensors.logits_after!.tolerance ?? {},
  };
}

/** The training run of a case. */
class FineTuning {
  readonly c: Case;
  readonly lora: LoraModel<AnyModel>;
  readonly batches: number;

  constructor(c: Case, lora: LoraModel<AnyModel>) {
    checkPlan(c, c.config.table('optimizer'));
    this.c = c;
    this.lora = lora;
    this.batches = c.config.number('batches');
  }

  async train(): Promise<{ losses: number[]; gradients: Tensors }> {
    const config = this.c.config.table('optimizer');
    const parameters = this.lora.adapterParameters(ADAPTER);
    const optimizer = optimizerOf(config, config.text('name'), [...parameters]);
    const losses: number[] = [];
    let gradients: Tensors = {};
    for (let step = 0; step < this.c.config.number('steps'); step++) {
      optimizer.zeroGrad();
      losses.push(await this.lossOf(step % this.batches, true));
      if (step === 0) gradients = await firstGradients(parameters);
      if (config.has('clipping')) clipGradNorm_(parameters.values(), config.number('clipping')).dispose();
      await optimizer.step();
    }
    optimizer.dispose();
    return { losses, gradients };
  }

  async lossesPerBatch(): Promise<number[]> {
    const losses: number[] = [];
    for (let batch = 0; batch < this.batches; batch++) losses.push(await this.lossOf(batch, false));
    return losses;
  }

  /** Logits of the first batch; padding does not count. */
  async logits(name: string): Promise<Tensors> {
    const results = await read(() => ({ [name]: noGrad(() => this.forward(0).logits) }));
    return { [name]: { ...results[name]!, mask: this.maskOf(0) } as HostTensor };
  }

  /** Logits and weights after merging. */
  async merged(): Promise<Tensors> {
    await this.lora.merge();
    const weights = await read(() => {
      const layers = [...this.lora.layers()];
      return Object.fromEntries(layers.map(([path, layer]) => [`merged.${path}.weight`, layer.floatWeight().clone()]));
    });
    const logits = await this.logits('logits_merged');
    this.lora.unmerge();
    return { ...weights, ...logits };
  }

  maskOf(batch: number): HostTensor {
    return batchOf(this.c, 'attention_mask', batch);
  }

  private async lossOf(batch: number, train: boolean): Promise<number> {
    const { loss } = await read(() => {
      const { loss } = this.forward(batch);
      if (train) loss!.backward();
      return { loss };
    });
    return loss!.data[0]!;
  }

  private forward(batch: number): { logits: Tensor; loss: Tensor | null } {
    return (this.lora.model as LlamaForCausalLM).forward(inputOf(this.c, batch));
  }
}

/** Gradients of the first step by PEFT's names. */
function firstGradients(parameters: ReadonlyMap<string, Tensor>): Promise<Tensors> {
  const named = [...parameters].map(([name, { grad }]) => {
    return [`grad.step0.${PREFIX}${name.replace(`.${ADAPTER}.`, '.')}`, grad!.clone()] as const;
  });
  return read(() => Object.fromEntries(named));
}
