"""Times the cases of `pnpm bench` in PyTorch: python3 torch_cases.py THREADS PREFIX

Prints one JSON line a case, with the names and shapes of bench/src/cases. Needs PyTorch 2.4 or later, on the CPU.
"""
import json
import statistics
import sys
import time

import torch
import torch.nn.functional as F

from llama import LARGE, SMALL, decode, train_step

BUDGET, LEAST_RUNS, WARM_UP = 0.5, 5, 0.1  # seconds, runs, seconds: as in bench/src/measure.ts
LEAST_SECONDS = 0.0005  # shorter runs are timed several at once


def timed(body, times):
    start = time.perf_counter()
    for _ in range(times):
        body()
    return time.perf_counter() - start


def measure(body):
    best, end = timed(body, 1), time.perf_counter() + WARM_UP
    while True:
        best = min(best, timed(body, 1))
        if time.perf_counter() >= end:
            break
    inner = max(1, round(LEAST_SECONDS / best))
    times, cpu, end = [], time.process_time(), time.perf_counter() + BUDGET
    while len(times) < LEAST_RUNS or time.perf_counter() < end:
        times.append(timed(body, inner) / inner)
    cpu = (time.process_time() - cpu) / len(times) / inner
    return dict(ms=statistics.median(times) * 1e3, msBest=min(times) * 1e3, msCpu=cpu * 1e3)


def product(transpose, m, k, n):
    a = torch.randn(k, m).t() if transpose[0] == "t" else torch.randn(m, k)
    b = torch.randn(n, k).t() if transpose[1] == "t" else torch.randn(k, n)
    return lambda: torch.mm(a, b)


def products():
    for size in (256, 512, 1024):
        for transpose in ("nn", "nt", "tn", "tt"):
            yield "product", transpose, (size, size, size)
    for name, tokens, inner, out in (
        ("linear", 1024, 256, 256),
        ("linear", 1024, 256, 688),
        ("linear", 1024, 256, 4096),
        ("linear", 1024, 512, 2048),
        ("lora", 1024, 512, 8),
        ("lora", 1024, 8, 512),
    ):
        yield name, "nt", (tokens, inner, out)
        yield name, "nn", (tokens, out, inner)
        yield name, "tn", (out, tokens, inner)


def forward(function, *shapes):
    def make():
        x = [torch.randn(shape) for shape in shapes]
        return lambda: function(*x)

    return make


def training(function, *shapes):
    def make():
        x = [torch.randn(shape, requires_grad=True) for shape in shapes]
        seed = torch.ones(shapes[0])
        return lambda: torch.autograd.grad(function(*x), x, seed)

    return make


def cross_entropy():
    logits = torch.randn(1024, 4096, requires_grad=True)
    labels = torch.full((1024,), 7)
    return lambda: torch.autograd.grad(F.cross_entropy(logits, labels), logits)


def attention(shape):
    q, k, v = (torch.randn(shape, requires_grad=True) for _ in range(3))
    g = torch.randn(shape)
    return lambda: torch.autograd.grad(F.scaled_dot_product_attention(q, k, v, is_causal=True), (q, k, v), g)


def adamw(tensors, size):
    parameters = [torch.nn.Parameter(torch.randn(size)) for _ in range(tensors)]
    for p in parameters:
        p.grad = torch.full((size,), 0.01)
    return torch.optim.AdamW(parameters, lr=1e-4, fused=True).step


def chain(backward):
    x = torch.randn(16, requires_grad=backward)

    def run():
        y = x
        for _ in range(500):
            y = y * 0.5 + x
        if backward:
            y.sum().backward()

    return run


def vector():
    x, weight = torch.randn(1, 4096), torch.randn(4096, 4096)
    return lambda: F.linear(x, weight)


LARGE_ARRAY, MEDIUM_ARRAY, ROWS = (2**24,), (2**21,), (4096, 512)


def cases():
    """(name, shape, function that makes the inputs and returns what to time)"""
    for group, transpose, (m, k, n) in products():
        yield f"{group}/{transpose}", f"{m}x{k}x{n}", lambda t=transpose, s=(m, k, n): product(t, *s)
    gelu = lambda x: F.gelu(x, approximate="tanh")
    yield "elementwise/add", "16777216", forward(torch.add, LARGE_ARRAY, LARGE_ARRAY)
    yield "elementwise/exp", "2097152", forward(torch.exp, MEDIUM_ARRAY)
    yield "elementwise/gelu", "2097152", forward(gelu, MEDIUM_ARRAY)
    yield "elementwise/swiglu", "1024x688", forward(lambda g, u: F.silu(g) * u, (1024, 688), (1024, 688))
    yield "reduction/sum", "16777216", forward(torch.sum, LARGE_ARRAY)
    yield "reduction/sum-rows", "4096x512", forward(lambda x: x.sum(0), ROWS)
    yield "row/softmax", "4096x512", forward(lambda x: F.softmax(x, -1), ROWS)
    yield "row/rms-norm", "4096x512", forward(lambda x, w: F.rms_norm(x, (512,), w, 1e-6), ROWS, (512,))
    yield "row/layer-norm", "4096x512", forward(lambda x, w, b: F.layer_norm(x, (512,), w, b), ROWS, (512,), (512,))
    yield "elementwise/gelu+backward", "2097152", training(gelu, MEDIUM_ARRAY)
    yield "row/rms-norm+backward", "4096x512", training(lambda x, w: F.rms_norm(x, (512,), w, 1e-6), ROWS, (512,))
    yield "row/cross-entropy+backward", "1024x4096", cross_entropy
    for shape in ((4, 8, 256), (1, 8, 512), (1, 8, 1024), (1, 4, 2048), (1, 2, 4096)):
        full = (*shape, 64)
        yield "attention/forward+backward", "x".join(map(str, full)), lambda s=full: attention(s)
    yield "nf4/vector-float32", "1x4096x4096", vector
    for tensors in (1, 64):
        yield "optimizer/adamw", f"{tensors}x{2**22 // tensors}", lambda t=tensors: adamw(t, 2**22 // t)
    yield "overhead/forward", "1000 of 16", lambda: chain(False)
    yield "overhead/forward+backward", "1000 of 16", lambda: chain(True)
    yield "train-step/full", "8x128", lambda: train_step("full")
    yield "train-step/lora", "8x128", lambda: train_step("lora")
    yield "decode/float32", "256 after 64", lambda: decode(SMALL, 256)
    yield "decode-large/float32", "256 after 64", lambda: decode(LARGE, 256)


def main(threads, prefix):
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    engine = f"PyTorch {torch.__version__}"
    for name, shape, make in cases():
        if name.startswith(prefix):
            print(json.dumps(dict(name=name, shape=shape, engine=engine, threads=threads, **measure(make()))), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "")
