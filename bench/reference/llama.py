"""The workloads `train-step` and `decode` in PyTorch: float32 on the CPU, as a person would write them.

The model is that of bench/src/cases/llama.ts. Attention is PyTorch's fused one, AdamW its fused one.
"""
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

VOCABULARY, BATCH, TOKENS, PROMPT = 4096, 8, 128, 64
SMALL = dict(width=256, hidden=688, layers=4, heads=8)
LARGE = dict(width=1024, hidden=2752, layers=8, heads=16)


class Lora(nn.Module):
    """A frozen Linear with an adapter of rank 8 and alpha 16."""

    def __init__(self, base, rank=8):
        super().__init__()
        self.base = base
        self.a = nn.Parameter(torch.randn(rank, base.in_features) * 0.02)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x):
        return self.base(x) + (x @ self.a.t()) @ self.b.t() * 2.0


def rotate(x, cos, sin):
    a, b = x.chunk(2, -1)
    return torch.cat([a * cos - b * sin, b * cos + a * sin], -1)


class Block(nn.Module):
    def __init__(self, width, hidden, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.RMSNorm(width, eps=1e-5)
        self.norm2 = nn.RMSNorm(width, eps=1e-5)
        self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.gate = nn.Linear(width, hidden, bias=False)
        self.up = nn.Linear(width, hidden, bias=False)
        self.down = nn.Linear(hidden, width, bias=False)

    def forward(self, x, cos, sin, cache=None, start=0):
        batch, tokens, width = x.shape
        h = self.norm1(x)
        split = lambda y: y.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)
        q, k, v = (split(project(h)) for project in (self.q, self.k, self.v))
        q, k = rotate(q, cos, sin), rotate(k, cos, sin)
        if cache is not None:
            end = start + tokens
            cache[0][:, :, start:end] = k
            cache[1][:, :, start:end] = v
            k, v = cache[0][:, :, :end], cache[1][:, :, :end]
        y = F.scaled_dot_product_attention(q, k, v, is_causal=tokens > 1)
        x = x + self.o(y.transpose(1, 2).reshape(batch, tokens, width))
        h = self.norm2(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h))


class Llama(nn.Module):
    def __init__(self, width, hidden, layers, heads):
        super().__init__()
        self.head_dim = width // heads
        self.embed = nn.Embedding(VOCABULARY, width)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.blocks = nn.ModuleList(Block(width, hidden, heads) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=1e-5)
        self.head = nn.Linear(width, VOCABULARY, bias=False)
        angles = torch.outer(torch.arange(512.0), 10000 ** (-torch.arange(0, self.head_dim, 2.0) / self.head_dim))
        self.register_buffer("cos", angles.cos())
        self.register_buffer("sin", angles.sin())

    def forward(self, ids, cache=None, start=0, last=False):
        x = self.embed(ids)
        end = start + ids.shape[1]
        for i, block in enumerate(self.blocks):
            x = block(x, self.cos[start:end], self.sin[start:end], cache[i] if cache else None, start)
        return self.head(self.norm(x[:, -1:] if last else x))

    def empty_cache(self, length):
        heads = self.blocks[0].heads
        room = lambda: torch.zeros(1, heads, length, self.head_dim)
        return [(room(), room()) for _ in self.blocks]


def train_step(method):
    """One step on a batch of 8 x 128 tokens, the loss read back."""
    model = Llama(**SMALL)
    if method == "lora":
        for p in model.parameters():
            p.requires_grad_(False)
        for block in model.blocks:
            block.q, block.v = Lora(block.q), Lora(block.v)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3, fused=True)
    ids = torch.randint(0, VOCABULARY, (BATCH, TOKENS))
    target = torch.randint(0, VOCABULARY, (BATCH, TOKENS))
    target[:, -1] = -100  # the last token of a text foretells none that is there
    target = target.view(-1)

    def step():
        loss = F.cross_entropy(model(ids).view(-1, VOCABULARY), target)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    assert abs(step() - math.log(VOCABULARY)) < 0.5
    return step


def decode(size, count):
    """`count` tokens after a prompt of 64, greedy, with the cache."""
    model = Llama(**size).eval()
    prompt = torch.randint(0, VOCABULARY, (1, PROMPT))

    @torch.inference_mode()
    def run():
        cache = model.empty_cache(PROMPT + count)
        token = model(prompt, cache, 0, last=True).argmax(-1)
        for position in range(PROMPT, PROMPT + count - 1):
            token = model(token, cache, position).argmax(-1)
        return token.item()

    return run
