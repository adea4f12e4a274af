import { DeviceError } from '../errors.js';
import { giveTurn, isTurnDue } from '../event-loop.js';
import {
  type Backend,
  type BackendName,
  type BoundInput,
  type Extent,
  type GpuProgram,
  type GpuStorage,
  lostError,
} from './backend.js';
import { createKernel, type GpuJs, type GpuJsKernel, VECTOR } from './gpu-js.js';
import type { GpuKernel } from './kernel.js';
import { StoragePool, sizeClass } from './pool.js';

/** A texture of four consecutive floats a texel, rows one after the other: gpu.js calls that memory-optimized. */
class GlStorage implements GpuStorage {
  readonly capacity: number;
  readonly texture: WebGLTexture;
  readonly width: number;
  readonly height: number;

  constructor(texture: WebGLTexture, width: number, height: number) {
    this.texture = texture;
    this.width = width;
    this.height = height;
    this.capacity = 4 * width * height;
  }
}

interface GlProgram extends GpuProgram {
  readonly program: WebGLProgram;
  readonly uniform: (name: string) => WebGLUniformLocation | null;
  readonly position: number;
  readonly coordinate: number;
}

/** Triangle strip over the whole target: positions, then texture coordinates. */
const CORNERS = Float32Array.of(-1, -1, 1, -1, -1, 1, 1, 1, 0, 0, 1, 0, 0, 1, 1, 1);

/** WebGL 2 in a browser, or headless GL in Node, in the context that gpu.js opened. */
export class GlBackend implements Backend {
  readonly name: BackendName;
  readonly description: string;
  readonly maxLength: number;
  readonly limit = 'MAX_TEXTURE_SIZE';
  readonly writesParts = false;
  readonly gl: WebGLRenderingContext;
  readonly #gpu: InstanceType<GpuJs['GPU']>;
  readonly #pool: StoragePool<GlStorage>;
  readonly #maxSize: number;
  readonly #framebuffer: WebGLFramebuffer;
  readonly #corners: WebGLBuffer;
  readonly #sample: GlStorage;
  readonly #kernels: GpuJsKernel[] = [];

  constructor(gpuJs: GpuJs, name: 'webgl2' | 'headlessgl') {
    this.name = name;
    this.#gpu = new gpuJs.GPU({ mode: name });
    const probe = createKernel(this.#gpu, PROBE, TEXTURE);
    this.gl = probe.context as WebGLRenderingContext;
    if (!this.gl) throw new DeviceError(`gpu: gpu.js opened no context for ${name}`);
    const { gl } = this;
    this.#gpu.context = gl; // all kernels share it
    this.#maxSize = gl.getParameter(gl.MAX_TEXTURE_SIZE) as number;
    this.maxLength = Math.min(4 * this.#maxSize * this.#maxSize, 2 ** 31 - 1);
    this.description = rendererOf(gl);
    this.#framebuffer = gl.createFramebuffer()!;
    this.#corners = gl.createBuffer()!;
    for (const extension of ['OES_texture_float', 'WEBGL_color_buffer_float', 'EXT_color_buffer_float']) {
      gl.getExtension(extension);
    }
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#corners);
    gl.bufferData(gl.ARRAY_BUFFER, CORNERS, gl.STATIC_DRAW);
    this.#sample = this.#createStorage(4);
    this.#pool = new StoragePool(
      (capacity) => this.#createStorage(capacity),
      ({ texture }) => gl.deleteTexture(texture),
    );
  }

  get lost(): string | null {
    return this.gl.isContextLost() ? 'its context was lost' : null;
  }

  allocate(length: number): GpuStorage {
    return this.#pool.take(this.#shape(sizeClass(length)).capacity);
  }

  release(storage: GpuStorage): void {
    this.#pool.give(storage as GlStorage);
  }

  compile(kernel: GpuKernel): GpuProgram {
    if (this.lost !== null) throw lostError(this);
    const built = createKernel(this.#gpu, kernel, TEXTURE);
    built.injectedNative = prototypesOf(kernel);
    const { texture, width, height } = this.#sample;
    const common = { texture, size: [width, height], dimensions: [4, 1, 1], output: [4], context: this.gl };
    const sample = (name: string) => ({ ...common, type: kernel.vectors.includes(name) ? VECTOR : TEXTURE });
    built.build(...kernel.inputs.map(sample), ...Object.keys(kernel.scalars).map(() => 1));
    if (!built.program) throw new DeviceError(`gpu: ${this.name} could not compile the kernel ${kernel.name}`);
    this.#kernels.push(built);
    return this.#linked(kernel, built.program);
  }

  run(
    program: GpuProgram,
    out: GpuStorage,
    threads: Extent,
    inputs: readonly BoundInput[],
    scalars: readonly number[],
  ): void {
    const { gl } = this;
    const { kernel, program: linked, uniform, position, coordinate } = program as GlProgram;
    const { texture, width } = out as GlStorage;
    const texels = Math.ceil((threads[0] * threads[1] * threads[2] * kernel.width) / 4);
    const height = Math.ceil(texels / width);
    gl.useProgram(linked);
    this.#target(texture);
    gl.viewport(0, 0, width, height);
    gl.disable(gl.SCISSOR_TEST);
    gl.uniform3i(uniform('uOutputDim'), ...threads);
    gl.uniform2i(uniform('uTexSize'), width, height);
    gl.uniform2f(uniform('ratio'), 1, 1);
    inputs.forEach(({ storage, lengths }, i) => {
      const from = storage as GlStorage;
      const name = `user_${kernel.inputs[i]}`;
      gl.activeTexture(gl.TEXTURE0 + i);
      gl.bindTexture(gl.TEXTURE_2D, from.texture);
      gl.uniform1i(uniform(name), i);
      gl.uniform2i(uniform(`${name}Size`), from.width, from.height);
      gl.uniform3i(uniform(`${name}Dim`), ...lengths);
    });
    Object.entries(kernel.scalars).forEach(([name, type], i) => {
      if (type === 'Integer') gl.uniform1i(uniform(`user_${name}`), scalars[i]!);
      else gl.uniform1f(uniform(`user_${name}`), scalars[i]!);
    });
    gl.bindBuffer(gl.ARRAY_BUFFER, this.#corners);
    for (const [location, offset] of [
      [position, 0],
      [coordinate, 32],
    ] as const) {
      if (location < 0) continue;
      gl.enableVertexAttribArray(location);
      gl.vertexAttribPointer(location, 2, gl.FLOAT, false, 0, offset);
    }
    gl.drawArrays(gl.TRIANGLE_STRIP, 0, 4);
  }

  write(storage: GpuStorage, _index: number, values: Float32Array): void {
    const { gl } = this;
    const { texture, width } = storage as GlStorage;
    const rows = Math.floor(values.length / (4 * width));
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    if (rows > 0)
      gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, 0, width, rows, gl.RGBA, gl.FLOAT, values.subarray(0, rows * 4 * width));
    const rest = values.subarray(rows * 4 * width);
    if (rest.length === 0) return;
    const row = new Float32Array(Math.ceil(rest.length / 4) * 4);
    row.set(rest);
    gl.texSubImage2D(gl.TEXTURE_2D, 0, 0, rows, row.length / 4, 1, gl.RGBA, gl.FLOAT, row);
  }

  async read(storage: GpuStorage, index: number, length: number): Promise<Float32Array> {
    const { gl } = this;
    const { texture, width } = storage as GlStorage;
    const first = Math.floor(index / (4 * width));
    const rows = Math.max(1, Math.ceil((index + length) / (4 * width)) - first);
    const values = new Float32Array(rows * width * 4);
    this.#target(texture);
    gl.readPixels(0, first, width, rows, gl.RGBA, gl.FLOAT, values);
    if (this.lost !== null) throw lostError(this); // else zeros would be read: the error is reported once only
    const error = gl.getError();
    if (error !== gl.NO_ERROR) throw new DeviceError(`gpu: ${this.name} reports GL error ${error}`);
    const start = index - first * 4 * width;
    if (isTurnDue()) await giveTurn(); // readPixels has waited on this thread
    return values.slice(start, start + length);
  }

  trim(): void {
    this.#pool.trim();
  }

  dispose(): void {
    this.#pool.trim();
    for (const kernel of this.#kernels) (kernel.destroy as ((all: boolean) => void) | undefined)?.call(kernel, false);
  }

  #target(texture: WebGLTexture): void {
    const { gl } = this;
    gl.bindFramebuffer(gl.FRAMEBUFFER, this.#framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  }

  #linked(kernel: GpuKernel, program: WebGLProgram): GlProgram {
    const { gl } = this;
    const locations = new Map<string, WebGLUniformLocation | null>();
    const uniform = (name: string) => {
      if (!locations.has(name)) locations.set(name, gl.getUniformLocation(program, name));
      return locations.get(name) ?? null;
    };
    const [position, coordinate] = [gl.getAttribLocation(program, 'aPos'), gl.getAttribLocation(program, 'aTexCoord')];
    return { kernel, program, uniform, position, coordinate };
  }

  /** Width and height of a texture: a power of two wide, so that few widths occur, and no wider than the device allows. */
  #shape(length: number): { width: number; height: number; capacity: number } {
    const texels = Math.ceil(length / 4);
    const width = Math.min(this.#maxSize, 2 ** Math.ceil(Math.log2(Math.max(1, Math.sqrt(texels)))));
    const height = Math.max(1, Math.ceil(texels / width));
    return { width, height, capacity: 4 * width * height };
  }

  #createStorage(capacity: number): GlStorage {
    const { gl } = this;
    const { width, height } = this.#shape(capacity);
    const texture = gl.createTexture();
    if (!texture && this.lost !== null) throw lostError(this);
    if (!texture) throw new DeviceError(`gpu: ${this.name} could not make a texture of ${width} × ${height}`);
    gl.activeTexture(gl.TEXTURE0);
    gl.bindTexture(gl.TEXTURE_2D, texture);
    for (const side of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, side, gl.CLAMP_TO_EDGE);
    for (const filter of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER])
      gl.texParameteri(gl.TEXTURE_2D, filter, gl.NEAREST);
    const format = 'RGBA32F' in gl ? (gl.RGBA32F as number) : gl.RGBA; // WebGL 2 names the size
    gl.texImage2D(gl.TEXTURE_2D, 0, format, width, height, 0, gl.RGBA, gl.FLOAT, null);
    return new GlStorage(texture, width, height);
  }
}

const TEXTURE = 'MemoryOptimizedNumberTexture';

/** Makes gpu.js open its context. */
const PROBE: GpuKernel = {
  name: 'probe',
  inputs: [],
  scalars: {},
  body: 'return 1;',
  functions: [],
  width: 1,
  vectors: [],
};

/** GLSL wants a function declared before it is called, and gpu.js does not always write them in such an order. */
function prototypesOf({ functions }: GpuKernel): string {
  const types = { Integer: 'int', Float: 'float' } as const;
  return functions
    .map(({ name, argumentTypes, returnType }) => {
      const inputs = Object.values(argumentTypes).map((type) => types[type]);
      return `${types[returnType]} ${name}(${inputs.join(', ')});\n`;
    })
    .join('');
}

function rendererOf(gl: WebGLRenderingContext): string {
  const names = gl.getExtension('WEBGL_debug_renderer_info');
  return String(gl.getParameter(names ? names.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
}
