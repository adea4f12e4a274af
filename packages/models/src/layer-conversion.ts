import type { Linear, Module } from '@burin/nn';
import type { Tensor } from '@burin/tensor';

/**
 * Puts other layers in the places of Linears while a checkpoint streams in, such as 4-bit ones: `to4bit()` of
 * `@burin/quant-nf4` is one. A chosen Linear's own weight never takes memory.
 */
export interface LayerConversion {
  /**
   * Dotted names of the Linears to replace. Called once, before any weight is read.
   *
   * @throws if what the person asked for is not there
   */
  choose(model: Module): Iterable<string>;
  /**
   * What takes the place of `layer`.
   *
   * @param layer - its bias is to be shared; its weight holds nothing
   * @param weight - `[out, in]`, stored as the file has it; freed after
   */
  convert(layer: Linear, weight: Tensor): Promise<Module>;
}
