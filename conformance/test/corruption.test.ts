import { afterEach, describe, expect, it } from 'vitest';
import { runCase } from '../src/run.js';
import { CaseCopy } from './case-copy.js';

/** One case of each group and of each kind in it. */
const CASES = [
  ...['attention/mha_module', 'attention/sdpa_bias', 'attention/sdpa_causal_key_padding'],
  ...['attention/sdpa_sliding_window', 'ffn/activations', 'ffn/mlp_silu', 'ffn/swiglu'],
  ...['generation/logits_processors', 'lora/lora_conv1d', 'lora/lora_linear', 'lora/lora_train'],
  ...['losses/bce_with_logits', 'losses/causal_lm_shift', 'losses/ce_class_weight', 'losses/ce_none'],
  ...['losses/kl_div', 'losses/mse', 'metrics/classification', 'metrics/corpus_bleu', 'metrics/exact_match'],
  ...['metrics/perplexity', 'models/bert_mlm', 'models/encoder_decoder_torch', 'models/gpt2', 'models/llama_gqa_tied'],
  ...['models/llama_seqcls', 'models/t5_relu_tied', 'models/vit_classification', 'nf4/code_tables'],
  ...['nf4/blockwise8_signed', 'nf4/fp4_bs64_double_quant', 'nf4/nf4_bs64', 'nf4/nf4_linear'],
  ...['norm/batchnorm1d_3d', 'norm/clip_grad_norm', 'norm/layernorm_eps1e-5', 'norm/vector_norms'],
  ...['optim/adamw_linear_warmup', 'optim/lr_schedules', 'optim/paged_adamw_32bit', 'optim/sgd_momentum'],
  ...['peft/qlora_llama', 'rope/gptj_interleaved', 'rope/llama3_scaling', 'rope/sinusoidal'],
  'training/gpt2_full_finetune',
];

/** So wide a tolerance that no value can break it: how close the closest decision was is for information. */
const INFORMATION = /margin/;

let copy: CaseCopy | null = null;

afterEach(() => copy?.remove());

function copyOf(name: string): CaseCopy {
  copy = new CaseCopy(name);
  return copy;
}

/** The first and the last tensor of each role, and of each further file. */
function someTensors(name: string): (readonly [file: string, tensor: string])[] {
  const probe = copyOf(name);
  const { manifest } = probe;
  const files = Object.values(manifest.files).filter((file) => file.endsWith('.safetensors'));
  const chosen = files.flatMap((file) => {
    const tensors = probe.tensors(file);
    const roleOf = (tensor: string) => manifest.tensors[tensor]?.role ?? 'stored';
    const roles = [...new Set(tensors.map(roleOf))].map((role) => tensors.filter((tensor) => roleOf(tensor) === role));
    return roles.flatMap((ofOne) => [...new Set([ofOne[0]!, ofOne.at(-1)!])]).map((tensor) => [file, tensor] as const);
  });
  probe.remove();
  return chosen;
}

describe.each(CASES)('%s fails', (name) => {
  it('where a tensor is corrupted: an expected one, an input, a weight, a tensor of another file', async () => {
    for (const [file, tensor] of someTensors(name)) {
      const damaged = copyOf(name);
      damaged.corrupt(tensor, { file });
      const { status } = await runCase(damaged.dir, name);
      expect(status, `${file}: ${tensor}`).toBe('failed');
      damaged.remove();
    }
  });

  it('where an expected value is corrupted', async () => {
    const values = Object.keys(copyOf(name).manifest.expected_values ?? {});
    for (const key of values.filter((value) => !INFORMATION.test(value))) {
      copy!.remove();
      copyOf(name).editJson('manifest.json', ({ expected_values }) => {
        expected_values![key] = otherValue(expected_values![key]);
      });
      const { status, message } = await runCase(copy!.dir, name);
      expect([status, message]).toEqual(['failed', expect.stringContaining(key)]);
    }
  });
});

/** The same with its last number, or its last text, changed. */
function otherValue(value: unknown): unknown {
  if (Array.isArray(value)) return [...value.slice(0, -1), otherValue(value.at(-1))];
  if (typeof value !== 'object' || value === null) return (value as number) + 1;
  const last = Object.keys(value).at(-1)!;
  return { ...value, [last]: otherValue((value as Record<string, unknown>)[last]) };
}

describe('a single wrong element is enough', () => {
  it.each([
    ['attention/sdpa_full', 'out', 100],
    ['models/llama_gqa_untied', 'logits', 0],
    ['models/llama_gqa_untied', 'grad.lm_head.weight', 7],
    ['nf4/nf4_bs64', 'packed', 1919],
    ['attention/sdpa_causal', 'allowed', 1],
  ])('%s: %s[%i]', async (name, tensor, element) => {
    const damaged = copyOf(name);
    damaged.corrupt(tensor, { element });
    expect(await runCase(damaged.dir, name)).toMatchObject({
      status: 'failed',
      message: expect.stringMatching(new RegExp(`^${tensor}: 1 of \\d+ differ .*\\[${element}\\]: expected`)),
    });
  });
});
