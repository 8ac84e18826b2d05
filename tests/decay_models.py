"""Small hand-made networks, one for each thing that a decay plan must recognise. No name says what a tensor is."""

from __future__ import annotations

import contextlib
import itertools
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional as F


def torchvision_beside_cpu_torch() -> None:
    """Define the two operators that a CUDA build of torchvision misses next to a CPU torch."""
    with contextlib.suppress(RuntimeError):  # already there
        library = torch.library.Library("torchvision", "DEF")
        library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torchvision_beside_cpu_torch.kept = library  # type: ignore[attr-defined]  # the library must outlive the call


def mlp(*widths: int, bias: bool = True) -> nn.Sequential:
    """Linear-ReLU-...-Linear."""
    layers: list[nn.Module] = []
    for a, b in itertools.pairwise(widths):
        layers += [nn.Linear(a, b, bias=bias), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def cnn(bias: bool = False) -> nn.Sequential:
    """conv-BN-ReLU twice, then a linear head, for batches (n, 3, 8, 8)."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, bias=bias),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, bias=bias),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(8 * 16, 10),
    )


class OwnNorm(nn.Module):
    """A root-mean-square norm that is no nn.LayerNorm and whose gain has an unhelpful name."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.ones(width))
        self.eps = 1e-5

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.kernel


class Block(nn.Module):
    """A transformer block: a1..a4 are q, k, v, o; m1, m2 the MLP."""

    def __init__(self, width: int, qk_norm: bool) -> None:
        super().__init__()
        self.a1, self.a2, self.a3, self.a4 = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.m1, self.m2 = nn.Linear(width, 2 * width, bias=False), nn.Linear(2 * width, width, bias=False)
        self.n1, self.n2 = OwnNorm(width), OwnNorm(width)
        self.nq, self.nk = (OwnNorm(width), OwnNorm(width)) if qk_norm else (nn.Identity(), nn.Identity())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.n1(x)
        q, k, v = self.nq(self.a1(h)), self.nk(self.a2(h)), self.a3(h)
        scores = (q @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5
        x = x + self.a4(scores.softmax(-1) @ v)
        return x + self.m2(F.gelu(self.m1(self.n2(x))))


class TinyGPT(nn.Module):
    """Token ids (n, t) to logits; ``tied`` shares the embedding with the head."""

    def __init__(self, qk_norm: bool = False, tied: bool = False, width: int = 16, vocab: int = 11) -> None:
        super().__init__()
        self.w1 = nn.Embedding(vocab, width)
        self.w2 = nn.Parameter(0.1 * torch.randn(1, 8, width))
        self.blocks = nn.ModuleList(Block(width, qk_norm) for _ in range(2))
        self.n = OwnNorm(width)
        self.out = nn.Linear(width, vocab, bias=False)
        if tied:
            self.out.weight = self.w1.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        x = self.w1(ids) + self.w2[:, : ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.out(self.n(x))


class LiteralEps(nn.Module):
    """A convolution whose weight is standardized with eps written as a literal."""

    def __init__(self, eps: float = 1e-4) -> None:
        super().__init__()
        self.p = nn.Parameter(torch.randn(8, 3, 3, 3))
        self.q = nn.Linear(8, 4)
        self.size = eps  # not called eps: the probe cannot find it

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        w = self.p - self.p.mean((1, 2, 3), keepdim=True)
        w = w / torch.sqrt(w.pow(2).mean((1, 2, 3), keepdim=True) + self.size)
        return self.q(F.conv2d(x, w).mean((2, 3)).relu())


class TwoHeads(nn.Module):
    """A shared trunk and two heads on its ReLU features."""

    def __init__(self, inputs: int = 4, width: int = 8) -> None:
        super().__init__()
        self.t = nn.Linear(inputs, width, bias=False)
        self.h1 = nn.Linear(width, 1, bias=False)
        self.h2 = nn.Linear(width, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        z = self.t(x).relu()
        return torch.cat([self.h1(z), self.h2(z)], dim=1)


class LowRank(nn.Module):
    """A frozen linear layer with a low-rank correction, then a trainable head."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(8, 8)
        self.base.requires_grad_(False)
        self.u = nn.Linear(8, 2, bias=False)
        self.v = nn.Linear(2, 8, bias=False)
        nn.init.zeros_(self.v.weight)
        self.drop = nn.Dropout(0.1)
        self.out = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out((self.base(x) + 2.0 * self.v(self.u(self.drop(x)))).relu())


class Zoo(nn.Module):
    """One of each remaining role; ``expected`` says which."""

    expected: ClassVar = {
        "p1": "table",  # joined as a token
        "p2": "gain",
        "p3": "temperature",
        "p4": "log-parameter",
        "p5": "matmul weight",
        "p6": "einsum weight",
        "p7": "weight-norm direction",
        "p8": "weight-norm gain",
        "p9": "router",
        "p10": "unused",
        "p11": "bias",
        "p12": "norm scale",
        "p13": "norm shift",
        "p14": "table",  # looked up with fixed positions
    }

    def __init__(self, d: int = 6) -> None:
        super().__init__()
        shapes = {
            "p1": (1, 1, d),
            "p2": (d,),
            "p3": (1,),
            "p4": (d,),
            "p5": (d, d),
            "p6": (d, d),
            "p7": (d, d),
            "p8": (d, 1),
            "p9": (3, d),
            "p10": (d, d),
            "p11": (d,),
            "p12": (d,),
            "p13": (d,),
            "p14": (9, d),
        }
        for name, shape in shapes.items():
            setattr(self, name, nn.Parameter(torch.randn(shape)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.cat([self.p1.expand(x.shape[0], -1, -1), x], dim=1)
        x = x + F.embedding(torch.arange(x.shape[1]), self.p14)
        x = x @ self.p5 + self.p11
        x = torch.einsum("ntd,de->nte", x * self.p2, self.p6)
        x = x * torch.exp(-torch.exp(self.p4))
        x = (((x @ x.transpose(1, 2)) * self.p3).softmax(-1)) @ x
        x = (x - x.mean(-1, keepdim=True)) / x.std(-1, keepdim=True) * self.p12 + self.p13
        w = self.p8 * self.p7 / self.p7.norm(dim=1, keepdim=True)
        x = F.linear(x, w)
        chosen = F.linear(x, self.p9).softmax(-1).topk(2, dim=-1)
        return x * chosen.values.sum(-1, keepdim=True)
