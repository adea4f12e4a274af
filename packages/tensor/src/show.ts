import type { Tensor } from './tensor.js';

/** So many elements are shown, of a tensor of any size. */
const SHOWN = 6;

/**
 * A tensor in one line, for consoles: `Tensor [2, 2] float32 on cpu: 1, 2, 3, 4`. With its first elements where the host can
 * read them at once: not on a GPU, and not in half precision.
 */
export function show(tensor: Tensor): string {
  const { shape, dtype, device, requiresGrad, isDisposed } = tensor;
  const line = `Tensor [${shape.join(', ')}] ${dtype} on ${device.name}${requiresGrad ? ', requiresGrad' : ''}`;
  if (isDisposed) return `${line}, freed`;
  const elements = firstElements(tensor);
  if (elements.length === 0) return line;
  const shown = elements.map((value) => Number(value.toPrecision(6)));
  return `${line}: ${shown.join(', ')}${tensor.size > SHOWN ? ', ...' : ''}`;
}

function firstElements({ dtype, device, size, storage }: Tensor): number[] {
  const Elements = { float32: Float32Array, int32: Int32Array, uint8: Uint8Array, float16: null, bfloat16: null }[
    dtype
  ];
  if (Elements === null || !device.readNow || !storage.isHeld) return []; // to look at a tensor takes no memory for it
  const bytes = device.readNow(storage.buffer, 0, Math.min(size, SHOWN) * Elements.BYTES_PER_ELEMENT);
  return Array.from(new Elements(bytes.slice().buffer));
}
