/** A tensor of a layer in the file. */
export interface LayerPart {
  /** `blk.0.attn_q.weight` */
  readonly name: string;
  /** `attn_q` */
  readonly of: string;
  readonly kind: 'weight' | 'bias';
}

/**
 * Which part of a layer a tensor of the checkpoint is; undefined for one that is none.
 *
 * @param prefix - what stands before a layer's number, such as `model.layers`
 * @param parts - llama.cpp's name of each part by the checkpoint's
 */
export function partOfLayer(
  name: string,
  prefix: string,
  parts: Readonly<Record<string, string>>,
): LayerPart | undefined {
  if (!name.startsWith(`${prefix}.`)) return undefined;
  const [, layer, part, kind] = /^(\d+)\.(.+)\.(weight|bias)$/.exec(name.slice(prefix.length + 1)) ?? [];
  if (part === undefined || !Object.hasOwn(parts, part)) return undefined;
  return { name: `blk.${layer}.${parts[part]}.${kind}`, of: parts[part]!, kind: kind as LayerPart['kind'] };
}
