import {
  blobSource,
  fromFloat32,
  openCheckpoint,
  openSafetensors,
  type SafetensorsDtype,
  type SafetensorsFile,
  type TensorInfo,
  toFloat32,
  toInt32,
  type WrittenFile,
  writeCheckpoint,
  writeSafetensors,
  writeSafetensorsFile,
} from '@burin/checkpoint';
import { expectTypeOf, test } from 'vitest';

const data = new Uint8Array(4);
const tensor = { name: 'w', dtype: 'F32', shape: [1], data } as const;

test('one file and many open as the same type', () => {
  expectTypeOf(openSafetensors).returns.resolves.toEqualTypeOf<SafetensorsFile>();
  expectTypeOf(openCheckpoint).returns.resolves.toEqualTypeOf<SafetensorsFile>();
  expectTypeOf<SafetensorsFile['tensors']>().toEqualTypeOf<ReadonlyMap<string, TensorInfo>>();
  expectTypeOf<'BF16' | 'BOOL'>().toExtend<SafetensorsDtype>();
});

test('a File of the browser is a source', () => {
  blobSource(new File([], 'model.safetensors'));
  blobSource(new Blob([]));
});

test('tensors that come later can be written to disk, not to memory', () => {
  const later = { ...tensor, data: async () => data };
  expectTypeOf(writeSafetensorsFile('m.safetensors', [tensor, later])).resolves.toEqualTypeOf<WrittenFile>();
  // @ts-expect-error: writeSafetensors does not wait
  writeSafetensors([later]);
});

test('what is made has memory of its own, which a Blob takes', () => {
  expectTypeOf(writeSafetensors).returns.toEqualTypeOf<Uint8Array<ArrayBuffer>>();
  expectTypeOf(toFloat32).returns.toEqualTypeOf<Float32Array<ArrayBuffer>>();
  expectTypeOf(fromFloat32).returns.toEqualTypeOf<Uint8Array<ArrayBuffer>>();
  expectTypeOf(toInt32).returns.toEqualTypeOf<Int32Array<ArrayBuffer>>();
});

test('dtypes are those of the format', () => {
  // @ts-expect-error: the format says F32
  writeSafetensors([{ ...tensor, dtype: 'float32' }]);
  // @ts-expect-error: whole numbers are for toInt32
  toFloat32(data, 'I64');
  // @ts-expect-error: floats are for toFloat32
  toInt32(data, 'F32');
  expectTypeOf(fromFloat32(new Float32Array(1), 'F16')).toEqualTypeOf<Uint8Array<ArrayBuffer>>();
});

test('options are checked', () => {
  // @ts-expect-error: the option is maxShardBytes
  writeCheckpoint('model', [tensor], { maxShardSize: 5 });
});
