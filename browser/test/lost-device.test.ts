import { DeviceError, matmul, ones } from '@burin/tensor';
import { gpu } from '@burin/tensor/gpu';
import { expect, it } from 'vitest';

const backend = process.env.BURIN_GPU as 'webgl2' | 'webgpu';

/** Takes the device away from the page, as a driver that was updated or has failed does. */
let lose: () => void = () => {};

/** Sees what gpu.js opens. */
function watch(): void {
  const canvas = HTMLCanvasElement.prototype;
  const { getContext } = canvas;
  canvas.getContext = function (this: HTMLCanvasElement, ...args: Parameters<typeof getContext>) {
    const context = getContext.apply(this, args);
    if (context instanceof WebGL2RenderingContext) {
      lose = () => context.getExtension('WEBGL_lose_context')!.loseContext();
    }
    return context;
  } as typeof getContext;
  const adapter = (globalThis as unknown as { GPUAdapter: { prototype: { requestDevice: RequestDevice } } }).GPUAdapter;
  const { requestDevice } = adapter.prototype;
  adapter.prototype.requestDevice = async function (...args) {
    const device = await requestDevice.apply(this, args);
    lose = () => device.destroy();
    return device;
  };
}

type RequestDevice = (this: unknown, ...args: unknown[]) => Promise<{ destroy(): void }>;

it('says that a device was lost, reads nothing from it, and opens another', async () => {
  watch();
  const device = await gpu({ backend });
  const x = ones([8, 8], { device });
  expect(device.lost).toBeNull();
  const reading = matmul(x, x).data();
  expect((await reading)[0]).toBe(8);
  lose();
  for (const use of [() => x.data(), () => matmul(x, x).data(), () => ones([3], { device }).exp().data()]) {
    const failed = await (async () => use())().catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(DeviceError);
    expect((failed as Error).message).toMatch(
      new RegExp(
        `^gpu: the ${backend} device was lost, and what it held is gone \\(.+\\); call await gpu\\(\\) for a new one`,
      ),
    );
  }
  expect(device.lost).toMatch(/lost|destroyed/);

  const another = await gpu({ backend });
  expect(another).not.toBe(device);
  device.dispose(); // of the lost one: the other stays
  expect(await gpu({ backend })).toBe(another);
  expect([...(await ones([2], { device: 'gpu' }).data())]).toEqual([1, 1]);
});
