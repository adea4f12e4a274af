import { attentionWeights, scaledDotProductAttention } from '@burin/attention';
import { cat, type Tensor, tensor } from '@burin/tensor';
import { devices, EXACT, expectClose, seededRandom, type Tolerance } from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** The same sums in another order, where blocks begin elsewhere. */
const REORDERED: Tolerance = { rtol: 1e-5, atol: 2e-6 };

const [B, T, H, K, D] = [2, 70, 4, 2, 8]; // T crosses a block of 64

describe.each(devices)('attention on %s', (device) => {
  const random = (seed: number, shape: readonly number[], requiresGrad = false) =>
    tensor(seededRandom(seed).normal(shape.reduce((a, b) => a * b)), shape, { device, requiresGrad });
  const operands = (requiresGrad = false) =>
    [
      random(1, [B, T, H, D], requiresGrad),
      random(2, [B, T, K, D], requiresGrad),
      random(3, [B, T, K, D], requiresGrad),
    ] as const;

  it('causal: a later token changes no earlier result', async () => {
    const [q, k, v] = operands();
    const before = scaledDotProductAttention(q, k, v, { layout: 'bthd', causal: true });
    for (const at of [1, 64, 69]) {
      const [k2, v2] = [k, v].map((x) => x.clone().assign_(random(9, [B, T - at, K, D]), 1, at)) as [Tensor, Tensor];
      const after = scaledDotProductAttention(q, k2, v2, { layout: 'bthd', causal: true });
      expectClose(await after.narrow(1, 0, at).data(), await before.narrow(1, 0, at).data(), EXACT);
      expect(await after.data()).not.toEqual(await before.data());
    }
  });

  it('window: a key outside it changes nothing', async () => {
    const [q, k, v] = operands();
    const options = { layout: 'bthd', causal: true, window: 10 } as const;
    const before = scaledDotProductAttention(q, k, v, options);
    const v2 = v.clone().assign_(random(9, [B, 5, K, D]), 1, 50); // tokens 50 .. 54 are seen by 50 .. 63
    const after = scaledDotProductAttention(q, k, v2, options);
    for (const [start, length] of [
      [0, 50],
      [64, 6],
    ] as const) {
      const unseen = (x: Tensor) => x.narrow(1, start, length).data();
      expectClose(await unseen(after), await unseen(before), EXACT);
    }
    for (const seen of [50, 63]) {
      expect(await after.narrow(1, seen, 1).data()).not.toEqual(await before.narrow(1, seen, 1).data());
    }
  });

  it('padding: padded equals unpadded, also its gradients', async () => {
    const [q, k, v] = operands(true);
    const length = 37;
    const keyPaddingMask = tensor(
      Uint8Array.from({ length: B * T }, (_, i) => (i % T < length ? 1 : 0)),
      [B, T],
      { device },
    );
    const padded = scaledDotProductAttention(q, k, v, { layout: 'bthd', keyPaddingMask }).narrow(1, 0, length);
    const short = [q, k, v].map((x) => Object.assign(x.detach().narrow(1, 0, length), { requiresGrad: true }));
    const unpadded = scaledDotProductAttention(short[0]!, short[1]!, short[2]!, { layout: 'bthd' });
    expectClose(await padded.data(), await unpadded.data(), REORDERED);
    const g = random(4, padded.shape);
    padded.backward(g);
    unpadded.backward(g);
    for (const [i, leaf] of [q, k, v].entries()) {
      expectClose(await leaf.grad!.narrow(1, 0, length).data(), await short[i]!.grad!.data(), REORDERED);
      const behind = await leaf.grad!.narrow(1, length, T - length).data();
      expectClose(behind, new Float32Array(behind.length), EXACT);
    }
  });

  it('left padding and a causal mask: a row begins where its tokens begin', async () => {
    const [q, k, v] = operands();
    const start = 13;
    const mask = Uint8Array.from({ length: B * T }, (_, i) => (i % T < start ? 0 : 1));
    const keyPaddingMask = tensor(mask, [B, T], { device });
    const padded = scaledDotProductAttention(q, k, v, { layout: 'bthd', causal: true, keyPaddingMask });
    const tail = [q, k, v].map((x) => x.narrow(1, start, T - start)) as [Tensor, Tensor, Tensor];
    const alone = scaledDotProductAttention(...tail, { layout: 'bthd', causal: true });
    expectClose(await padded.narrow(1, start, T - start).data(), await alone.data(), REORDERED);
  });

  it('grouped queries equal repeated key heads, and their gradients sum up', async () => {
    const [q, k, v] = operands(true);
    const repeat = (x: Tensor) =>
      x
        .unsqueeze(3)
        .expand([B, T, K, H / K, D])
        .reshape([B, T, H, D]);
    const [q2, k2, v2] = operands(true);
    const grouped = scaledDotProductAttention(q, k, v, { layout: 'bthd', causal: true });
    const repeated = scaledDotProductAttention(q2, repeat(k2), repeat(v2), { layout: 'bthd', causal: true });
    expectClose(await grouped.data(), await repeated.data(), EXACT);
    const g = random(4, grouped.shape);
    grouped.backward(g);
    repeated.backward(g);
    for (const [a, b] of [
      [q, q2],
      [k, k2],
      [v, v2],
    ] as const) {
      expectClose(await a.grad!.data(), await b.grad!.data(), REORDERED);
    }
  });

  it('packed segments equal separate sequences, also their gradients', async () => {
    const lengths = [3, 41, 26]; // together T
    const ids = Int32Array.from(lengths.flatMap((length, i) => Array<number>(length).fill(7 * i)));
    const segments = tensor(Int32Array.from([...ids, ...ids]), [B, T], { device });
    const [q, k, v] = operands(true);
    const packed = scaledDotProductAttention(q, k, v, { layout: 'bthd', causal: true, segments });
    const pieces = lengths.map((length, i) => {
      const start = lengths.slice(0, i).reduce((a, b) => a + b, 0);
      return [q, k, v].map((x) => Object.assign(x.detach().narrow(1, start, length), { requiresGrad: true }));
    });
    const separate = cat(
      pieces.map(([q, k, v]) => scaledDotProductAttention(q!, k!, v!, { layout: 'bthd', causal: true })),
      1,
    );
    expectClose(await packed.data(), await separate.data(), REORDERED);
    const g = random(4, packed.shape);
    packed.backward(g);
    separate.backward(g);
    for (const [i, leaf] of [q, k, v].entries()) {
      const joined = cat(
        pieces.map((piece) => piece[i]!.grad!),
        1,
      );
      expectClose(await leaf.grad!.data(), await joined.data(), REORDERED);
    }
  });

  it('one query at a time with an offset equals the whole pass', async () => {
    const [q, k, v] = operands();
    const whole = scaledDotProductAttention(q, k, v, { layout: 'bthd', causal: true });
    const steps = Array.from({ length: T }, (_, t) =>
      scaledDotProductAttention(q.narrow(1, t, 1), k, v, { layout: 'bthd', causal: true, queryOffset: t }),
    );
    expectClose(await cat(steps, 1).data(), await whole.data(), REORDERED);
  });

  it('a constant added to all scores of a query changes nothing', async () => {
    const [q, k, v] = operands();
    const plain = scaledDotProductAttention(q, k, v, { layout: 'bthd' });
    const bias = random(5, [B, H, T, 1]).expand([B, H, T, T]);
    expectClose(
      await scaledDotProductAttention(q, k, v, { layout: 'bthd', bias }).data(),
      await plain.data(),
      REORDERED,
    );
  });

  it('large scores do not overflow', async () => {
    const [q, k, v] = operands();
    const out = await scaledDotProductAttention(q.mul(1000), k, v, { layout: 'bthd', causal: true }).data();
    expect(out.every(Number.isFinite)).toBe(true);
  });

  it('explicit probabilities sum to 1, and to 0 where no key is seen', async () => {
    const [q, k] = operands();
    const keyPaddingMask = tensor(new Uint8Array(B * T).fill(1, 2 * T - 5), [B, T], { device });
    const weights = attentionWeights(q, k, { layout: 'bthd', keyPaddingMask });
    expect(weights.shape).toEqual([B, H, T, T]);
    const sums = await weights.sum(-1).data();
    expectClose(sums.subarray(0, H * T), new Float32Array(H * T), EXACT);
    expectClose(sums.subarray(H * T), new Float32Array(H * T).fill(1), REORDERED);
  });

  it('explicit probabilities know the same masks', async () => {
    const [q, k, v] = operands();
    const random01 = Uint8Array.from(seededRandom(8).uniform(B * T), (u) => (u < 0.7 ? 1 : 0));
    const options = {
      layout: 'bthd',
      causal: true,
      window: 20,
      keyPaddingMask: tensor(random01, [B, T], { device }),
      segments: tensor(
        Int32Array.from({ length: B * T }, (_, i) => [5, 1, 3][Math.floor((i % T) / 25)]!),
        [B, T],
        { device },
      ),
      bias: random(6, [1, H, T, T]),
      scale: 0.3,
    } as const;
    const weights = attentionWeights(q, k, options); // [B, H, T, S]
    const values = v.permute([0, 2, 1, 3]); // [B, K, S, D]
    const out = weights
      .reshape([B, K, (H / K) * T, T])
      .matmul(values)
      .reshape([B, H, T, D])
      .permute([0, 2, 1, 3]);
    expectClose(await out.data(), await scaledDotProductAttention(q, k, v, options).data(), REORDERED);
  });
});
