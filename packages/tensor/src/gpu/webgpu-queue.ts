import { DeviceError } from '../errors.js';
import { USAGE, type WebGpuBuffer, type WebGpuDevice, type WebGpuEncoder, type WebGpuPass } from './webgpu-types.js';

/** Launches that go to the device together; with each its own submit, a small kernel costs several times as much. */
const LAUNCHES_A_SUBMIT = 64;

/** Bytes of all parameters of a submit. */
const PARAMETER_BYTES = 64 * 1024;

/** A launch's parameters: a piece of the uniform buffer, and its bytes on the host. */
export interface Parameters {
  readonly buffer: WebGpuBuffer;
  readonly offset: number;
  readonly size: number;
  readonly integers: Int32Array;
  readonly floats: Float32Array;
}

/** Collects launches and copies in order, and submits them in batches. */
export class WebGpuQueue {
  readonly #device: WebGpuDevice;
  readonly #uniforms: WebGpuBuffer;
  readonly #bytes = new ArrayBuffer(PARAMETER_BYTES);
  #filled = 0;
  #launches = 0;
  #encoder: WebGpuEncoder | null = null;
  #pass: WebGpuPass | null = null;
  #failure: string | null = null;

  constructor(device: WebGpuDevice) {
    this.#device = device;
    this.#uniforms = device.createBuffer({ size: PARAMETER_BYTES, usage: USAGE.uniform | USAGE.copyTarget });
    device.onuncapturederror = ({ error }) => {
      this.#failure ??= error.message;
    };
  }

  /** Room for the parameters of the next launch. */
  parameters(byteLength: number): Parameters {
    const alignment = this.#device.limits.minUniformBufferOffsetAlignment;
    const size = Math.ceil(byteLength / 16) * 16;
    if (this.#filled + size > PARAMETER_BYTES) this.flush();
    const offset = this.#filled;
    this.#filled += Math.ceil(size / alignment) * alignment;
    const [integers, floats] = [Int32Array, Float32Array].map((View) => new View(this.#bytes, offset, size / 4));
    return { buffer: this.#uniforms, offset, size, integers: integers as Int32Array, floats: floats as Float32Array };
  }

  pass(): WebGpuPass {
    this.#pass ??= this.#begin().beginComputePass();
    return this.#pass;
  }

  /** The encoder, outside a pass: for copies. */
  encoder(): WebGpuEncoder {
    this.#pass?.end();
    this.#pass = null;
    return this.#begin();
  }

  launched(): void {
    if (++this.#launches >= LAUNCHES_A_SUBMIT) this.flush();
  }

  flush(): void {
    if (!this.#encoder) return;
    const encoder = this.encoder();
    if (this.#filled > 0)
      this.#device.queue.writeBuffer(this.#uniforms, 0, new Uint8Array(this.#bytes, 0, this.#filled));
    this.#device.queue.submit([encoder.finish()]);
    this.#encoder = null;
    this.#filled = 0;
    this.#launches = 0;
  }

  /** @throws DeviceError with what the driver complained about since the last check */
  check(): void {
    const failure = this.#failure;
    this.#failure = null;
    if (failure !== null) throw new DeviceError(`gpu: WebGPU reports: ${failure}`);
  }

  #begin(): WebGpuEncoder {
    this.#encoder ??= this.#device.createCommandEncoder();
    return this.#encoder;
  }
}
