"""Small real tasks that overfit: digits and MNIST-1D with random labels, and characters of a short text."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import numpy as np

__all__ = ["BATCH", "LR", "TASKS", "Task", "batches", "fit", "validation_loss"]

LR, BATCH = 1e-3, 50
_CONTEXT, _BLOCK = 8, 100


@dataclass(frozen=True)
class Task:
    """Training and validation rows of one distribution (labels equally noisy), epochs, and the network."""

    name: str
    x: Any
    y: Any
    vx: Any
    vy: Any
    epochs: int
    network: Callable[[], Any]

    @property
    def steps(self) -> int:
        """Updates in a run on all rows."""
        return self.epochs * -(-len(self.x) // BATCH)


def digits(seed: int) -> Task:
    """scikit-learn's digits, 30 % of the labels random: 900 rows to train on, 897 to validate."""
    import torch
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(x))
    y = np.where(rng.random(len(y)) < 0.3, rng.integers(0, 10, len(y)), y[order])
    a, b = torch.tensor(x[order] / 16.0, dtype=torch.float32), torch.tensor(y)
    return Task("digits", a[:900], b[:900], a[900:], b[900:], 60, lambda: _perceptron(64))


def mnist1d(seed: int) -> Task:
    """MNIST-1D, 15 % of the labels random: 2,000 rows to train on, 1,000 to validate."""
    import torch

    from elltwo.labs.timescale import _data

    data = _data(2000)
    generator = torch.Generator().manual_seed(seed)

    def noisy(y: Any) -> Any:
        flip = torch.rand(len(y), generator=generator) < 0.15
        return torch.where(flip, torch.randint(0, 10, (len(y),), generator=generator), y)

    return Task(
        "MNIST-1D", data.x, noisy(data.y), data.test_x, noisy(data.test_y), 40, lambda: _perceptron(40)
    )


def characters(seed: int) -> Task:
    """The next character after eight others, in two short texts of 1776 and 1863; blocks of 100 are kept together."""
    import torch

    text = files("elltwo.data").joinpath("founding.txt").read_text(encoding="utf-8")
    alphabet = sorted(set(text))
    codes = [alphabet.index(c) for c in text]
    blocks = [codes[i : i + _BLOCK] for i in range(0, len(codes), _BLOCK)]
    np.random.default_rng(seed).shuffle(blocks)
    held = len(blocks) // 4
    vx, vy = _windows(blocks[:held], seed)
    x, y = _windows(blocks[held:], seed)

    def network() -> Any:
        nn = torch.nn
        head = nn.Linear(256, len(alphabet))
        table = nn.Embedding(len(alphabet), 16)
        return nn.Sequential(table, nn.Flatten(), nn.Linear(16 * _CONTEXT, 256), nn.ReLU(), head)

    return Task("characters", x, y, vx, vy, 20, network)


TASKS: dict[str, Callable[[int], Task]] = {"digits": digits, "MNIST-1D": mnist1d, "characters": characters}


def _windows(blocks: list[list[int]], seed: int) -> tuple[Any, Any]:
    import torch

    cut = [b[i : i + _CONTEXT + 1] for b in blocks for i in range(len(b) - _CONTEXT)]
    rows = torch.tensor(cut)[torch.randperm(len(cut), generator=torch.Generator().manual_seed(seed))]
    return rows[:, :-1].contiguous(), rows[:, -1].contiguous()


def _perceptron(width: int) -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(width, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10))


def batches(x: Any, y: Any, seed: int) -> Callable[[], Iterator[tuple[Any, Any]]]:
    """A fresh epoch of shuffled batches on every call."""
    import torch

    generator = torch.Generator().manual_seed(seed)

    def epoch() -> Iterator[tuple[Any, Any]]:
        for rows in torch.randperm(len(x), generator=generator).split(BATCH):
            yield x[rows], y[rows]

    return epoch


def fit(
    task: Task,
    seed: int,
    weight_decay: float,
    rows: int | None = None,
    *,
    coupled: bool = False,
    strengths: Mapping[str, float] | None = None,
) -> Any:
    """The task's network after AdamW (Adam + L2 where ``coupled``) on the first ``rows`` rows, η falling linearly.

    λ acts on the weights of linear layers; ``strengths`` gives one per tensor instead.
    """
    import torch
    from torch import nn

    torch.manual_seed(seed)
    net = task.network()
    if strengths is None:
        strengths = {f"{n}.weight": weight_decay for n, m in net.named_modules() if isinstance(m, nn.Linear)}
    groups = [{"params": [p], "weight_decay": strengths.get(n, 0.0)} for n, p in net.named_parameters()]
    optimizer = (torch.optim.Adam if coupled else torch.optim.AdamW)(groups, lr=LR, fused=True)
    count = rows or len(task.x)
    steps = task.epochs * -(-count // BATCH)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda t: 1 - t / steps)
    epoch = batches(task.x[:count], task.y[:count], seed)
    for _ in range(task.epochs):
        for x, y in epoch():
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
            schedule.step()
    return net


def validation_loss(task: Task, net: Any) -> float:
    """Mean cross-entropy on the validation rows."""
    import torch

    with torch.no_grad():
        return float(torch.nn.functional.cross_entropy(net(task.vx), task.vy))
