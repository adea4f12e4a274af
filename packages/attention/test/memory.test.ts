import { scaledDotProductAttention } from '@burin/attention';
import { scope, type Tensor, tensor } from '@burin/tensor';
import { type DeviceName, devices, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';

const LENGTHS = [512, 1024, 2048, 4096];
const [H, D] = [2, 8];

/** The most bytes held at once beyond those at the start, forward and backward over T tokens. */
function peakOf(T: number, device: DeviceName): number {
  const operands = [1, 2, 3].map((seed) =>
    tensor(seededRandom(seed).normal(T * H * D), [1, T, H, D], { device, requiresGrad: true }),
  ) as [Tensor, Tensor, Tensor];
  const { memory } = operands[0].device;
  const start = memory.liveBytes;
  memory.resetPeak();
  scope(() => {
    scaledDotProductAttention(...operands, { layout: 'bthd', causal: true })
      .sum()
      .backward();
  });
  const peak = memory.peakBytes - start;
  for (const operand of operands) {
    operand.zeroGrad();
    operand.dispose();
  }
  return peak;
}

describe.each(devices)('memory of attention on %s', (device) => {
  it('grows with T, not with T², forward and backward', { timeout: 120_000 }, () => {
    const peaks = LENGTHS.map((T) => peakOf(T, device));
    for (let i = 1; i < peaks.length; i++) {
      const growth = peaks[i]! / peaks[i - 1]!;
      expect(growth, `${LENGTHS[i - 1]} -> ${LENGTHS[i]} tokens: ${peaks[i - 1]} -> ${peaks[i]} bytes`).toBeLessThan(
        2.1,
      );
      expect(growth).toBeGreaterThan(1.9);
    }
    const scores = 4 * H * LENGTHS.at(-1)! ** 2; // what a matrix of all scores would take
    expect(peaks.at(-1)!).toBeLessThan(scores / 50);
  });
});
