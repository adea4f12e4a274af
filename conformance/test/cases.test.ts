import { readFileSync } from 'node:fs';
import { cpu } from '@burin/tensor';
import { afterEach, describe, expect, it } from 'vitest';
import { type CaseResult, listCases, runCase } from '../src/run.js';
import { CaseCopy, FIXTURES, type RawManifest } from './case-copy.js';

const ANY = { atol: 1e9, rtol: 1 };

let copy: CaseCopy | null = null;

afterEach(() => copy?.remove());

/** Runs a copy of a case whose manifest was changed. */
async function runEdited(name: string, edit: (manifest: RawManifest) => void): Promise<CaseResult> {
  copy = new CaseCopy(name);
  copy.editJson('manifest.json', edit);
  return runCase(copy.dir, name);
}

describe('the fixtures', () => {
  it('pass, but for those that wait for later work, and free what they have used', { timeout: 60_000 }, async () => {
    const waiting = JSON.parse(readFileSync(new URL('../waiting.json', import.meta.url), 'utf8'));
    const results: CaseResult[] = [];
    for (const name of await listCases(FIXTURES, '')) {
      const { liveBytes } = cpu().memory;
      results.push(await runCase(FIXTURES, name));
      expect(cpu().memory.liveBytes, `bytes that ${name} leaves behind`).toBe(liveBytes);
    }
    const without = (status: CaseResult['status']) => results.filter((result) => result.status === status);
    expect(without('failed')).toEqual([]);
    expect(without('unsupported').map(({ name }) => name)).toEqual(waiting);
  });
});

describe('what nothing here computes is a failure', () => {
  it('an expected tensor', async () => {
    const result = await runEdited('attention/sdpa_full', ({ tensors }) => {
      tensors.k = { ...tensors.k!, role: 'expected', tolerance: ANY };
    });
    expect(result).toMatchObject({ status: 'failed', message: 'k: nothing here computes it' });
  });

  it('an expected gradient and an expected state', async () => {
    const result = await runEdited('attention/sdpa_full', ({ tensors }) => {
      tensors.k = { ...tensors.k!, role: 'expected_grad', tolerance: ANY };
      tensors.v = { ...tensors.v!, role: 'expected_state', tolerance: ANY };
    });
    expect(result.message).toBe('k: nothing here computes it; v: nothing here computes it');
  });

  it('an expected value, also inside a table', async () => {
    const result = await runEdited('metrics/perplexity', (manifest) => {
      Object.assign(manifest.expected_values!, { entropy: 1, more: { text: 'a' } });
      Object.assign(manifest.expected_values_tolerance!, { entropy: ANY, more: ANY });
    });
    expect(result.message).toBe('entropy: nothing here computes it; more.text: nothing here computes it');
  });

  it('a tensor of a trained adapter', async () => {
    const result = await runEdited('peft/lora_llama', ({ file_tolerances }) => {
      file_tolerances!['adapter_model.safetensors']!.extra = ANY;
    });
    expect(result.message).toBe('adapter_model.safetensors: extra: the file has no such tensor');
  });

  it('a role of another kind', async () => {
    const result = await runEdited('attention/sdpa_full', ({ tensors }) => {
      tensors.k!.role = 'wanted';
    });
    expect(result.message).toBe("k: the role 'wanted' is not known");
  });

  it('a case that expects nothing', async () => {
    const result = await runEdited('attention/sdpa_full', ({ tensors }) => {
      for (const entry of Object.values(tensors)) entry.role = 'input';
    });
    expect(result.message).toContain('the manifest expects nothing');
  });
});

describe('a manifest that does not fit its files is a failure', () => {
  it('a tensor without a tolerance', async () => {
    const result = await runEdited('attention/sdpa_full', ({ tensors }) => {
      delete tensors.out!.tolerance;
    });
    expect(result.message).toBe('out: the manifest gives no tolerance');
  });

  it('a value without a tolerance', async () => {
    const result = await runEdited('metrics/perplexity', (manifest) => {
      delete manifest.expected_values_tolerance!.n_tokens;
      manifest.expected_values!.n_tokens = 1000;
    });
    expect(result.message).toBe('n_tokens: the manifest gives no tolerance');
  });

  it('a tensor in the file that is not listed, and one that is listed otherwise', async () => {
    const unlisted = await runEdited('attention/sdpa_full', ({ tensors }) => {
      delete tensors.d_out;
    });
    expect(unlisted.message).toBe('the manifest does not list d_out');
    copy!.remove();
    const other = await runEdited('attention/sdpa_full', ({ tensors }) => {
      tensors.d_out!.shape = [1];
    });
    expect(other.message).toMatch(/^tensor d_out: the manifest lists F32 \[1\], the file has F32 \[2,/);
  });

  it('a setting of another kind', async () => {
    const result = await runEdited('attention/sdpa_full', ({ config }) => {
      config.causal = 'no';
    });
    expect(result).toMatchObject({ status: 'failed', message: 'config.causal: expected true or false, got "no"' });
  });

  it('no manifest at all', async () => {
    copy = new CaseCopy('attention/sdpa_full');
    const result = await runCase(copy.dir, 'attention');
    expect(result).toMatchObject({ status: 'failed', message: expect.stringContaining('manifest.json') });
  });
});

describe('what to do is read from the manifest', () => {
  it.each([
    ['models/llama_gqa_tied', 'models/another_name'],
    ['models/bert_seqcls', 'models/gpt2'],
    ['attention/sdpa_full', 'others/x'],
    ['losses/kl_div', 'losses/mse'],
    ['nf4/fp4_bs64', 'nf4/nf4_bs128'],
    ['optim/sgd_momentum', 'optim/adam'],
    ['peft/qlora_llama', 'peft/x'],
  ])('%s passes under the name %s', async (name, other) => {
    copy = new CaseCopy(name, other);
    copy.editJson('manifest.json', (manifest) => {
      Object.assign(manifest, { name: other, seed: null, description: '' });
    });
    expect(await runCase(copy.dir, other)).toMatchObject({ name: other, status: 'passed', message: '' });
  });

  it('an optimizer may keep no state', async () => {
    const result = await runEdited('optim/sgd_momentum', ({ config }) => {
      config.momentum = 0;
    });
    expect(result.message).toMatch(/^param\.0\.step5: \d+ of \d+ differ/); // the first step knows no momentum
  });

  it('an option changes what is computed', async () => {
    for (const [name, change] of Object.entries({
      'attention/sdpa_sliding_window': { sliding_window: 5 },
      'attention/sdpa_custom_scale': { scale: 0.3 },
      'ffn/mlp_gelu_erf': { activation: 'gelu_tanh' },
      'norm/layernorm_eps1e-12': { eps: 1e-5 },
      'optim/adamw': { betas: [0.9, 0.99] },
      'rope/llama_theta10000': { rope_theta: 20000 },
      'lora/rslora_linear': { use_rslora: false },
      'training/gpt2_full_finetune': { max_grad_norm: 0.5 },
    })) {
      const result = await runEdited(name, ({ config }) => {
        Object.assign(config, change);
      });
      expect(result.status, name).toBe('failed');
      copy!.remove();
    }
  });
});

describe('what the packages do not have yet is not yet supported', () => {
  it.each([
    ['adalora/svd_linear', "no package computes the group 'adalora'"],
    ['lora/dora_linear', 'LoRA with use_dora'],
    ['optim/adamw_8bit', 'the optimizer AdamW8bit'],
  ])('%s', async (name, message) => {
    const result = await runCase(FIXTURES, name);
    expect(result).toMatchObject({ status: 'unsupported', message: expect.stringContaining(message) });
  });

  it.each([
    ['rope/llama_theta10000', { style: 'spiral' }, "rotary embedding of style 'spiral'"],
    ['ffn/mlp_relu', { activation: 'cube' }, "the activation 'cube'"],
    ['generation/logits_processors', { min_tokens_to_keep: 2 }, 'min_tokens_to_keep other than 1'],
    ['nf4/nf4_bs64_double_quant', { nested_blocksize: 128 }, 'double quantization in blocks other than 256'],
    ['optim/adamw', { amsgrad: true }, 'AdamW with amsgrad'],
    ['training/gpt2_full_finetune', { step_uses_batch: 'random' }, "batches in the order 'random'"],
  ])('%s with %o', async (name, change, message) => {
    const result = await runEdited(name, ({ config }) => {
      Object.assign(config, change);
    });
    expect(result).toMatchObject({ status: 'unsupported', message });
  });
});
