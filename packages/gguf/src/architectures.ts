import type { ConfigValues } from './config.js';
import { GgufError } from './errors.js';
import { GPT_NEOX } from './gpt-neox.js';
import { GPT2 } from './gpt2.js';
import { GEMMA, LLAMA, MISTRAL, QWEN2, QWEN3 } from './llama.js';
import type { Metadata } from './metadata.js';
import { PHI3 } from './phi3.js';
import type { Placement } from './placement.js';

/** A small tensor that follows from config.json. */
export interface DerivedTensor {
  readonly name: string;
  readonly values: Float32Array;
}

/** How one of llama.cpp's architectures is made from a Hugging Face model. */
export interface GgufArchitecture {
  /** `general.architecture`. */
  readonly name: string;
  /** Sizes and options under llama.cpp's keys. @throws GgufError for an option that has none */
  metadata(config: ConfigValues): Metadata;
  /** The place of a tensor; null for one that is left out; undefined for one that is not known. */
  place(name: string, config: ConfigValues): Placement | null | undefined;
  /** What llama.cpp wants besides. */
  derived?(config: ConfigValues): DerivedTensor[];
}

/** By config.json's `architectures`. */
const ARCHITECTURES: Readonly<Record<string, GgufArchitecture>> = {
  LlamaForCausalLM: LLAMA,
  MistralForCausalLM: MISTRAL,
  Qwen2ForCausalLM: QWEN2,
  Qwen3ForCausalLM: QWEN3,
  GemmaForCausalLM: GEMMA,
  GPT2LMHeadModel: GPT2,
  GPTNeoXForCausalLM: GPT_NEOX,
  Phi3ForCausalLM: PHI3,
};

/** @throws GgufError that lists those that are known */
export function architectureOf(config: ConfigValues): GgufArchitecture {
  const { architectures } = config.raw;
  const name: unknown = Array.isArray(architectures) ? architectures[0] : undefined;
  const found = Object.hasOwn(ARCHITECTURES, String(name)) ? ARCHITECTURES[String(name)] : undefined;
  if (found) return found;
  throw new GgufError(
    `${config.where}: architectures must name a model that can be written as GGUF: expected ` +
      `${Object.keys(ARCHITECTURES).join(', ')}, got ${JSON.stringify(name)}`,
  );
}
