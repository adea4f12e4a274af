import { DeviceError } from '../errors.js';
import type { GpuKernel } from './kernel.js';

/** What gpu.js 2.24 writes for a kernel of one axis, and what stands there instead so that there are three. */
const THREAD = [
  {
    theirs: 'threadGid = vec3<u32>(flat_index, 0u, 0u);',
    ours:
      'threadGid = vec3<u32>(flat_index % params.outputX, (flat_index / params.outputX) % params.outputY, ' +
      'flat_index / (params.outputX * params.outputY));',
  },
  {
    theirs: 'if (flat_index >= params.outputX) { return; }',
    ours: 'if (flat_index >= params.outputX * params.outputY * params.outputZ) { return; }',
  },
];

/**
 * gpu.js's WGSL of a kernel, with threads of three axes in workgroups of 64 in a row (its own three axes are bounded at
 * 65,535 and waste lanes), and with the WGSL of functions that have some.
 *
 * @throws DeviceError if this is not the text that gpu.js 2.24 writes
 */
export function finishWgsl(kernel: GpuKernel, source: string): string {
  let code = source;
  for (const { theirs, ours } of THREAD) {
    if (!code.includes(theirs)) {
      throw new DeviceError(
        `gpu: the installed gpu.js writes WGSL that this version of Burin does not know; install gpu.js@2.24`,
      );
    }
    code = code.replace(theirs, ours);
  }
  for (const { name, wgsl } of kernel.functions) {
    if (wgsl) code = code.replace(new RegExp(`^fn fn_${name}\\([^]*?(?=^fn |^@compute)`, 'm'), `${wgsl}\n`);
  }
  return code;
}
